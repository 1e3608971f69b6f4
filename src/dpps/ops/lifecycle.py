"""Starting and stopping a whole system, from outside of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, STDOUT

import psutil

from dpps.composition.instance import Instance, StorageKind
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict, NotFound, Unavailable
from dpps.ops import processes
from dpps.ops.logs import last_error, tail
from dpps.ops.prepare import check_ports, open_folder, prepare
from dpps.ops.service import ServiceState, select
from dpps.ops.status import ServiceStatus, SystemStatus, read_status, supervisor_process
from dpps.ops.table import services

__all__ = ["Started", "start", "stop"]

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 180.0

type Report = Callable[[ServiceStatus], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What `start` found or made."""

    status: SystemStatus
    already_running: bool


def start(
    folder: StateFolder,
    *,
    report: Report,
    only: Sequence[str] = (),
    database_url: str | None = None,
    storage: StorageKind | None = None,
) -> Started:
    """Start the system in a folder and return when it is ready; idempotent.

    Parameters
    ----------
    folder : StateFolder
        Where it lives.
    report : callable
        Told about every change of a service meanwhile.
    only : sequence of str
        Start these services and what they need, and no others.
    database_url : str, optional
        PostgreSQL run by others.
    storage : StorageKind, optional
        What the storage elements of a new system shall be; POSIX by default.

    Raises
    ------
    DppsError
        When something prevents the start, or a service does not get ready; nothing is left running then.
    """
    open_folder(folder, database_url)
    with _lock(folder) as descriptor:
        if descriptor is None:
            return Started(status=_wait_ready(folder, report, only), already_running=True)
        _sweep(folder)
        instance = prepare(folder, database_url, storage)
        table = services(folder, instance)
        chosen = select(table, only) if only else table
        check_ports(instance, [*(service.name for service in chosen if service.runs_here), "supervisor"])
        _spawn(folder, descriptor, only)
    try:
        return Started(status=_wait_ready(folder, report, only), already_running=False)
    except BaseException:
        # Nothing half done: neither after a failure nor after an interruption by the user.
        stop(folder, report=report)
        raise


@contextlib.contextmanager
def _lock(folder: StateFolder) -> Iterator[int | None]:
    """Hold the lock of the state folder; yield None when another process holds it.

    The supervisor inherits the descriptor and thereby the lock, without a gap.
    """
    descriptor = os.open(folder.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _sweep(folder: StateFolder) -> None:
    """End what a supervisor that was killed has left behind, and forget what it wrote."""
    processes.end_all(processes.leftovers(folder.root, folder.database), patience_seconds=10)
    (folder.run / "status.json").unlink(missing_ok=True)


def _spawn(folder: StateFolder, lock: int, only: Sequence[str]) -> None:
    """Start the supervisor as nobody's child: neither a terminal nor its caller's end touches it."""
    command = [sys.executable, "-m", "dpps.ops.supervisor", "--state", str(folder.root), "--lock", str(lock)]
    if only:
        command += ["--only", *only]
    detach = "import os, sys\nif os.fork(): os._exit(0)\nos.execv(sys.argv[1], sys.argv[1:])"
    with folder.log("supervisor").open("ab") as log:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", detach, *command],
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            cwd="/",
            pass_fds=[lock],
            start_new_session=True,
            check=True,
        )


def _is_locked(folder: StateFolder) -> bool:
    """Tell whether a supervisor, or another start, holds the folder."""
    with _lock(folder) as descriptor:
        return descriptor is None


def _wait_ready(folder: StateFolder, report: Report, only: Sequence[str]) -> SystemStatus:
    seen: dict[str, ServiceStatus] = {}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = _status(folder)
        if status is not None and status.running:
            _tell_changes(status, seen, report)
            _refuse_failed(status, folder)
            if all(service.good for service in status.services):
                _refuse_missing(status, only)
                return status
        elif not _is_locked(folder):
            raise Unavailable(
                f"the supervisor has ended: {last_error(folder.log('supervisor'))}",
                code="supervisor-ended",
                next_step=f"read {folder.log('supervisor')}",
                retryable=False,
            )
        time.sleep(_POLL_SECONDS)
    late = [service for service in seen.values() if not service.good]
    raise Unavailable(
        f"not ready after {_PATIENCE_SECONDS:.0f} s: "
        + (
            "; ".join(f"{service.name}: {service.reason or service.state}" for service in late)
            or "no supervisor"
        ),
        code="start-timeout",
        next_step=f"run: dpps logs --state {folder.root} " + " ".join(service.name for service in late),
    )


def _status(folder: StateFolder) -> SystemStatus | None:
    try:
        return read_status(folder)
    except NotFound:  # another `up` has only just begun
        return None


def _tell_changes(status: SystemStatus, seen: dict[str, ServiceStatus], report: Report) -> None:
    for service in status.services:
        before = seen.get(service.name)
        if before is None or (before.state, before.reason) != (service.state, service.reason):
            report(service)
        seen[service.name] = service


def _refuse_failed(status: SystemStatus, folder: StateFolder) -> None:
    for service in status.services:
        if service.state is ServiceState.FAILED:
            words = "\n".join(f"    {line}" for line in tail(folder.log(service.name), 5))
            raise Unavailable(
                f"service {service.name} does not start: {service.reason}\n  last lines of its log:\n{words}",
                code="service-failed",
                next_step=f"run: dpps logs --state {folder.root} {service.name}   and: dpps doctor",
                retryable=False,
                service=service.name,
            )


def _refuse_missing(status: SystemStatus, only: Sequence[str]) -> None:
    missing = set(only) - {service.name for service in status.services}
    if missing:
        raise Conflict(
            f"the system runs without {', '.join(sorted(missing))}",
            code="runs-in-part",
            next_step=f"run: dpps down --state {status.state_folder}   then: dpps up",
        )


def stop(folder: StateFolder, *, report: Report) -> bool:
    """Stop the system in a folder, and whatever a killed supervisor has left; idempotent.

    Returns
    -------
    bool
        Whether anything was running.

    Raises
    ------
    NotFound
        When the folder holds no system.
    Unavailable
        When it does not end.
    """
    Instance.load(folder)
    status = read_status(folder)
    supervisor = supervisor_process(status) if status else None
    if supervisor is not None:
        _end_supervisor(supervisor, folder, report)
    remains = processes.leftovers(folder.root, folder.database)
    processes.end_all(remains, patience_seconds=10)
    return supervisor is not None or bool(remains)


def _end_supervisor(supervisor: psutil.Process, folder: StateFolder, report: Report) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        supervisor.send_signal(signal.SIGTERM)
    seen: dict[str, ServiceStatus] = {}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = read_status(folder)
        if status is not None and status.running:
            _tell_changes(status, seen, report)
        else:
            return
        time.sleep(_POLL_SECONDS)
    raise Unavailable(
        f"the supervisor (process {supervisor.pid}) has not ended after {_PATIENCE_SECONDS:.0f} s",
        code="stop-timeout",
        next_step=f"run: kill -9 {supervisor.pid}   then: dpps down",
    )
