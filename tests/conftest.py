"""Fixtures that every kind of test shares: a whole system with real services, started once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import NotFound
from dpps.workload.scratch_folders import new_scratch_folder, remove_scratch_folder

if TYPE_CHECKING:
    from dpps.testing.xrootd_servers import XrootdServers


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSystem:
    """What tests need to know about the system that runs for them."""

    folder: StateFolder
    instance: Instance


def _missing_programs() -> str | None:
    from dpps.ops.programs import environment_python, postgres_programs

    try:
        environment_python("rucio")
        postgres_programs()
    except NotFound as missing:
        return f"{missing.message}; {missing.next_step}"
    return None


@pytest.fixture(scope="session")
def state_root() -> Iterator[Path]:
    """A folder that the service user can enter, unlike pytest's own when we are root."""
    root = new_scratch_folder("dpps-t-")
    root.chmod(0o755)
    yield root
    remove_scratch_folder(root)


@pytest.fixture(scope="session")
def running_system(state_root: Path) -> Iterator[RunningSystem]:
    """Start everything that is there, and stop it when the last test is over."""
    from dpps.ops.lifecycle import start, stop

    missing = _missing_programs()
    if missing:
        pytest.skip(missing)
    folder = StateFolder(state_root / "system")
    start(folder, report=lambda _service: None)
    try:
        yield RunningSystem(folder=folder, instance=Instance.load(folder))
    finally:
        stop(folder, report=lambda _service: None)


@pytest.fixture(scope="session")
def xrootd_servers(state_root: Path) -> Iterator[XrootdServers]:
    """Two storage servers, without the rest of a system."""
    from dpps.ops.xrootd import xrootd_program
    from dpps.testing.xrootd_servers import XrootdServers

    if xrootd_program() is None:
        pytest.skip("xrootd is not installed (scripts/install-debian-packages)")
    servers = XrootdServers(StateFolder(state_root / "xrootd-servers"))
    try:
        servers.start_all()
        yield servers
    finally:
        servers.stop_all()
