"""The folder in which a package is made: its maker's alone, and nobody's once its maker is dead."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import uuid
from io import TextIOWrapper
from pathlib import Path
from typing import Final

__all__ = ["Spool"]

_LOCK: Final = "in-use"
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""File systems that know no locks: there nobody can tell a dead maker's folder, and it is left alone."""


class Spool:
    """A folder beside the output, with a name of its own, held by a lock that ends with this process.

    What makers of the same output that were killed have left there is removed first.

    Parameters
    ----------
    output : Path
        What is made.

    Raises
    ------
    OSError
        When the folder cannot be made.
    """

    def __init__(self, output: Path) -> None:
        _remove_leftovers(output)
        while True:
            self.folder = output.parent / f".{output.name}.{uuid.uuid4().hex}"
            self.folder.mkdir(parents=True)
            # Before it is locked, another maker may take the folder for a leftover.
            try:
                self._lock = (self.folder / _LOCK).open("a")
            except FileNotFoundError:
                continue
            if _lock(self._lock) is not False and _is_there(self._lock, self.folder / _LOCK):
                return
            self._lock.close()

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def _remove_leftovers(output: Path) -> None:
    """Remove the folders of dead makers of an output; those that are in use stay."""
    named = re.compile(rf"\.{re.escape(output.name)}\.[0-9a-f]{{32}}")
    if not output.parent.is_dir():
        return
    for folder in sorted(output.parent.iterdir()):
        if named.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    try:
        lock = (folder / _LOCK).open("a")
    except (FileNotFoundError, PermissionError):
        return  # its maker has just removed it, or it belongs to somebody else
    with lock:
        if _lock(lock):
            shutil.rmtree(folder, ignore_errors=True)


def _lock(file: TextIOWrapper) -> bool | None:
    """Tell whether we are now the only ones to hold a file; None where the file system cannot tell."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as refused:
        if refused.errno not in _NO_LOCKS:
            raise
        return None
    return True


def _is_there(file: TextIOWrapper, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
