"""The live state of a system, as the supervisor writes it down and everyone else reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from dpps.composition.instance import Instance, write_atomically
from dpps.composition.state import StateFolder
from dpps.ops.lock import has_open
from dpps.ops.processes import memory_bytes, tree
from dpps.ops.service import ServiceState

__all__ = [
    "ServiceStatus",
    "SystemStatus",
    "read_status",
    "supervisor_process",
    "write_status",
]


class ServiceStatus(BaseModel):
    """One service at one moment."""

    model_config = ConfigDict(frozen=True)

    name: str
    purpose: str
    state: ServiceState
    reason: str = ""
    """Why it is in this state; empty when there is nothing to say."""
    pid: int | None = None
    started_at: datetime | None = None
    """Start of the present process."""
    start_seconds: float | None = None
    """From that start to the first successful probe."""
    restarts: int = 0
    address: str | None = None
    memory_bytes: int | None = None
    """Proportional set size of all its processes."""

    @property
    def uptime_seconds(self) -> float | None:
        """Seconds since the present process was started."""
        if self.started_at is None or self.pid is None:
            return None
        return (datetime.now(UTC) - self.started_at).total_seconds()

    @property
    def good(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.state in {ServiceState.READY, ServiceState.ABSENT, ServiceState.EXTERNAL}


class SystemStatus(BaseModel):
    """A whole system at one moment."""

    model_config = ConfigDict(frozen=True)

    state_folder: Path
    supervisor_pid: int
    metrics_url: str
    services: tuple[ServiceStatus, ...]
    running: bool = True
    """False when no supervisor looks after the services any more."""
    supervisor_memory_bytes: int | None = None

    @property
    def ready(self) -> bool:
        """Whether every service is ready."""
        return self.running and all(service.good for service in self.services)


def write_status(folder: StateFolder, status: SystemStatus) -> None:
    """Replace the status file."""
    write_atomically(folder.run / "status.json", status.model_dump_json(indent=1))


def supervisor_process(folder: StateFolder, status: SystemStatus) -> psutil.Process | None:
    """Return the supervisor's process while it lives.

    A later process of the same number does not hold the folder's lock.
    """
    try:
        process = psutil.Process(status.supervisor_pid)
    except psutil.NoSuchProcess:
        return None
    return process if has_open(process, folder) else None


def read_status(folder: StateFolder, *, measure: bool = False) -> SystemStatus | None:
    """Return the status of the system in a folder, or None when none was ever started there.

    Parameters
    ----------
    folder : StateFolder
        Where the system lives.
    measure : bool
        Look at the processes too, for their memory.
    """
    Instance.load(folder)
    try:
        status = SystemStatus.model_validate_json((folder.run / "status.json").read_text())
    except (FileNotFoundError, ValidationError):
        return None
    supervisor = supervisor_process(folder, status)
    if supervisor is None:
        return status.model_copy(
            update={"running": False, "services": tuple(map(_not_supervised, status.services))}
        )
    if not measure:
        return status
    return status.model_copy(
        update={
            "services": tuple(map(_measured, status.services)),
            "supervisor_memory_bytes": memory_bytes([supervisor]),
        }
    )


def _measured(service: ServiceStatus) -> ServiceStatus:
    if service.pid is None:
        return service
    return service.model_copy(update={"memory_bytes": memory_bytes(tree(service.pid))})


def _not_supervised(service: ServiceStatus) -> ServiceStatus:
    if service.state in {ServiceState.ABSENT, ServiceState.EXTERNAL, ServiceState.STOPPED}:
        return service
    return service.model_copy(
        update={"state": ServiceState.STOPPED, "reason": "the supervisor is gone", "pid": None}
    )
