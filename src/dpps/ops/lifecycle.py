"""Starting and stopping a whole system, from outside of it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, STDOUT

import psutil

from dpps.composition.instance import Instance, StorageKind
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict, NotFound, Unavailable
from dpps.ops import lock, processes
from dpps.ops.logs import last_error, tail
from dpps.ops.prepare import check_ports, open_folder, prepare
from dpps.ops.service import ServiceState, select
from dpps.ops.status import ServiceStatus, SystemStatus, read_status
from dpps.ops.table import services

__all__ = ["Started", "start", "stop"]

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 180.0
_KILL_SECONDS = 30.0

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
    while not _begin(folder, only, database_url, storage):
        if (status := _wait_ready(folder, report, only)) is not None:
            return Started(status=status, already_running=True)
        # Who held the folder has stopped, or could not start: then it is our turn.
    try:
        status = _wait_ready(folder, report, only)
        if status is None:
            raise Unavailable(
                f"the supervisor has ended: {last_error(folder.log('supervisor'))}",
                code="supervisor-ended",
                next_step=f"read {folder.log('supervisor')}",
                retryable=False,
            )
        return Started(status=status, already_running=False)
    except BaseException:
        # Nothing half done: neither after a failure nor after an interruption by the user.
        stop(folder, report=report)
        raise


def _begin(
    folder: StateFolder, only: Sequence[str], database_url: str | None, storage: StorageKind | None
) -> bool:
    """Prepare the folder and start its supervisor, unless another process looks after it."""
    with lock.hold(folder) as descriptor:
        if descriptor is None:
            return False
        _sweep(folder)
        instance = prepare(folder, database_url, storage)
        table = services(folder, instance)
        chosen = select(table, only) if only else table
        check_ports(instance, [*(service.name for service in chosen if service.runs_here), "supervisor"])
        _spawn(folder, descriptor, only)
    return True


def _sweep(folder: StateFolder) -> None:
    """End what a supervisor that was killed has left behind, and forget what it wrote."""
    _end_leftovers(folder)
    (folder.run / "status.json").unlink(missing_ok=True)


def _end_leftovers(folder: StateFolder) -> int:
    """End what no supervisor looks after; return how many processes that were.

    Raises
    ------
    Unavailable
        When one does not end.
    """
    ended = 0
    deadline = time.monotonic() + _KILL_SECONDS
    while remains := processes.leftovers(folder.root, folder.database):
        if time.monotonic() > deadline:
            raise _does_not_end("processes left behind by a supervisor", remains, folder)
        processes.end_all(remains, patience_seconds=10)
        ended += len(remains)
    return ended


def _spawn(folder: StateFolder, descriptor: int, only: Sequence[str]) -> None:
    """Start the supervisor as nobody's child: neither a terminal nor its caller's end touches it."""
    command = [sys.executable, "-m", lock.SUPERVISOR_MODULE, "--state", str(folder.root)]
    command += ["--lock", str(descriptor)]
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
            pass_fds=[descriptor],
            start_new_session=True,
            check=True,
        )


def _wait_ready(folder: StateFolder, report: Report, only: Sequence[str]) -> SystemStatus | None:
    """Return the status of a system once it is ready; None when nobody looks after it any more."""
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
        elif not lock.is_held(folder):
            return None
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


def stop(folder: StateFolder, *, report: Report, patience_seconds: float = _PATIENCE_SECONDS) -> bool:
    """Stop the system in a folder, and whatever a killed supervisor has left; idempotent.

    It returns when nobody holds the lock of the folder and no process of the system lives, and not before.

    Parameters
    ----------
    folder : StateFolder
        Where it lives.
    report : callable
        Told about every change of a service meanwhile.
    patience_seconds : float
        A supervisor that was asked to stop and changes nothing for so long is killed.

    Returns
    -------
    bool
        Whether anything was running.

    Raises
    ------
    NotFound
        When the folder holds no system.
    Unavailable
        When it does not end, or another command is starting it.
    """
    Instance.load(folder)
    ending = _Ending(folder, report, patience_seconds)
    folder.run.mkdir(exist_ok=True)
    while True:
        with lock.hold(folder) as descriptor:
            if descriptor is not None:
                return _end_leftovers(folder) > 0 or ending.asked
        ending.press()
        time.sleep(_POLL_SECONDS)


class _Ending:
    """Asks the supervisor to stop, watches it doing so, and kills one that does not get on."""

    def __init__(self, folder: StateFolder, report: Report, patience_seconds: float) -> None:
        self._folder = folder
        self._report = report
        self._patience_seconds = patience_seconds
        self._asked: set[psutil.Process] = set()
        self._killed = False
        self._seen: dict[str, ServiceStatus] = {}
        self._deadline = time.monotonic() + patience_seconds

    @property
    def asked(self) -> bool:
        """Whether there was a supervisor."""
        return bool(self._asked)

    def press(self) -> None:
        """Do what is due now.

        Raises
        ------
        Unavailable
            When nothing is left to try.
        """
        found = lock.supervisors(self._folder)
        for supervisor in set(found) - self._asked:
            self._asked.add(supervisor)
            self._deadline = time.monotonic() + self._patience_seconds
            _signal(supervisor, signal.SIGTERM)
        if self._gets_on():
            self._deadline = time.monotonic() + self._patience_seconds
        elif time.monotonic() > self._deadline:
            self._escalate(found)

    def _gets_on(self) -> bool:
        before = dict(self._seen)
        status = read_status(self._folder)
        if status is not None and status.running:
            _tell_changes(status, self._seen, self._report)
        return before != self._seen

    def _escalate(self, found: Sequence[psutil.Process]) -> None:
        if not found:
            raise Unavailable(
                f"another command has been holding {self._folder.root} for {self._patience_seconds:.0f} s, "
                "and no supervisor runs there",
                code="folder-held",
                next_step=f"see who: fuser -v {lock.lock_file(self._folder)}   "
                "and when it has ended, run: dpps down",
            )
        if self._killed:
            raise _does_not_end("the supervisor", found, self._folder)
        for supervisor in found:
            _signal(supervisor, signal.SIGKILL)
        self._killed = True
        self._deadline = time.monotonic() + _KILL_SECONDS


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _does_not_end(what: str, remains: Sequence[psutil.Process], folder: StateFolder) -> Unavailable:
    numbers = " ".join(str(process.pid) for process in remains)
    return Unavailable(
        f"{what} (process {numbers}) has not ended, although it was killed",
        code="stop-timeout",
        next_step=f"look what it waits for: ps -o pid,stat,wchan,args {numbers}   "
        f"then run: dpps down --state {folder.root}",
    )
