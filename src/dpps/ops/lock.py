"""The lock of a state folder: held by whoever looks after the system in it, for as long as he lives.

The kernel frees it when its holder dies, however he dies; and the kernel says who has the file open. Neither
depends on a clock, on numbers of processes that are used again, or on a file that a dead process has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from dpps.composition.state import StateFolder
from dpps.domain.errors import NotAuthorized

__all__ = ["SUPERVISOR_MODULE", "has_open", "hold", "is_held", "lock_file", "supervisors"]

SUPERVISOR_MODULE = "dpps.ops.supervisor"
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


def lock_file(folder: StateFolder) -> Path:
    """Return the file that is locked."""
    return folder.run / "lock"


@contextlib.contextmanager
def hold(folder: StateFolder) -> Iterator[int | None]:
    """Hold the lock of a state folder; yield None when another process holds it.

    A child that inherits the descriptor inherits the lock, without a gap.

    Raises
    ------
    NotAuthorized
        When the system belongs to another user.
    """
    try:
        descriptor = os.open(lock_file(folder), os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as denied:
        raise NotAuthorized(
            f"the system in {folder.root} belongs to another user",
            code="state-not-ours",
            next_step="run as the user who started it",
        ) from denied
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def is_held(folder: StateFolder) -> bool:
    """Tell whether a supervisor, or somebody who starts or stops one, holds the folder.

    Those who may not open the lock cannot tell, and are told that it is not held.
    """
    try:
        descriptor = os.open(lock_file(folder), os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        # Shared, so that two who look do not take each other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def supervisors(folder: StateFolder) -> list[psutil.Process]:
    """Return the supervisor of a folder, whatever is or is not written about it; empty when there is none."""
    return [
        process for process in psutil.process_iter() if _is_supervisor(process) and has_open(process, folder)
    ]


def has_open(process: psutil.Process, folder: StateFolder) -> bool:
    """Tell whether a process lives and has the lock of a folder open.

    Of a process of another user the kernel does not tell the open files; it is then judged by its command.
    """
    try:
        wanted = lock_file(folder).stat()
        descriptors = list(Path(f"/proc/{process.pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        return _is_supervisor(process) and str(folder.root) in _command(process)
    return any(_is_file(descriptor, wanted) for descriptor in descriptors)


def _is_file(descriptor: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), wanted)
    except OSError:  # closed since it was listed
        return False


def _is_supervisor(process: psutil.Process) -> bool:
    return _command(process)[1:3] == ["-m", SUPERVISOR_MODULE]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except _GONE:
        return []
