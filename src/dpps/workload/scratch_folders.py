"""Temporary folders that last as long as their process: what a killed one leaves, the next one removes.

A folder belongs to a living process while its lock is held: the kernel gives the lock back however the
process ends, also that of a process in a namespace of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

import psutil

__all__ = ["new_scratch_folder", "remove_abandoned", "remove_scratch_folder"]

_LOCK = ".owner.lock"

_held: dict[Path, int] = {}
"""Descriptors of the locks of this process: closing one gives its folder away."""


def new_scratch_folder(prefix: str) -> Path:
    """Make a temporary folder of this process, after removing those that killed ones have left.

    Parameters
    ----------
    prefix : str
        How its name begins, and those of the folders to be removed.
    """
    remove_abandoned(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    unlocked = folder / f"{_LOCK}.new"
    descriptor = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unlocked.rename(folder / _LOCK)  # whoever finds it finds it held
    _held[folder] = descriptor
    return folder


def remove_scratch_folder(folder: Path) -> None:
    """Remove a folder that `new_scratch_folder` made in this process."""
    shutil.rmtree(folder, ignore_errors=True)
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


def remove_abandoned(prefix: str) -> list[Path]:
    """Remove the temporary folders that killed processes of this user have left; return which.

    Left alone is what has no lock, the lock of another user, or what a process still works with that
    outlived the owner, such as a database server.
    """
    removed = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{prefix}*")):
        if folder not in _held and _is_abandoned(folder) and not _is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _is_abandoned(folder: Path) -> bool:
    lock = folder / _LOCK
    try:
        found = lock.lstat()
        if folder.is_symlink() or not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return False
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False  # it has none, or goes at this moment
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_in_use(folder: Path) -> bool:
    inside = f"{folder}/"
    return any(
        argument == str(folder) or inside in argument
        for process in psutil.process_iter(["cmdline"])
        for argument in process.info["cmdline"] or ()
    )
