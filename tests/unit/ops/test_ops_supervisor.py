"""The supervisor goes on where nothing can be written."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import anyio
import pytest

from dpps.composition.instance import Endpoint, Instance
from dpps.composition.state import StateFolder
from dpps.ops import supervisor as supervising
from dpps.ops.probes import always_ready
from dpps.ops.service import Service, ServiceState
from dpps.ops.status import SystemStatus
from dpps.ops.supervisor import Supervisor


def test_a_full_disk_does_not_end_the_supervisor_and_the_status_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[SystemStatus] = []
    failures = [OSError(errno.ENOSPC, "No space left on device")] * 3

    def write(_folder: StateFolder, status: SystemStatus) -> None:
        if failures:
            raise failures.pop()
        written.append(status)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(supervising, "write_status", write)
    monkeypatch.setattr(supervising, "_STATUS_RETRY_SECONDS", 0.01)
    instance = Instance(endpoints={"supervisor": Endpoint(port=4)})
    absent = Service(name="cache", purpose="", probe=always_ready, initial=ServiceState.ABSENT)

    async def run() -> None:
        await Supervisor(StateFolder(tmp_path), instance, [absent]).run()

    anyio.run(run)
    assert failures == []
    assert [service.name for service in written[0].services] == ["cache"]
