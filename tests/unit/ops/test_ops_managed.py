"""One service under supervision, with a process that the test plays."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import anyio
import pytest
from anyio.abc import Process

from dpps.ops.managed import ManagedService
from dpps.ops.service import RestartPolicy, Service, ServiceState


class EndedProcess:
    """A process that has ended, which its watcher learns only after it was told to kill it."""

    pid = 4711

    def __init__(self) -> None:
        self.killed = anyio.Event()

    def kill(self) -> None:
        self.killed.set()
        raise ProcessLookupError

    async def wait(self) -> int:
        await self.killed.wait()
        return 3


def test_a_service_that_ends_while_it_is_killed_for_being_late_is_a_failure_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_ready() -> str | None:
        return "it is not ready"

    service = Service(
        name="late",
        purpose="",
        command=("late",),
        probe=never_ready,
        start_seconds=-1,
        restart=RestartPolicy(attempts=1),
    )
    (tmp_path / "late.log").touch()

    async def spawn(_managed: ManagedService) -> Process:
        return cast("Process", EndedProcess())

    monkeypatch.setattr(ManagedService, "_spawn", spawn)

    async def one_life() -> tuple[ServiceState, str]:
        managed = ManagedService(service, tmp_path, tmp_path / "late.log", lambda: None)
        await managed.run([])
        return managed.state, managed.reason

    assert anyio.run(one_life) == (ServiceState.FAILED, "exit code 3")
