"""One ingest at a time in a hand-over folder: a second would read every file again, and meet the first."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.domain.errors import Conflict

__all__ = ["hold_folder"]


@contextmanager
def hold_folder(locks: Path, folder: Path, holder: str) -> Iterator[None]:
    """Be the only one who ingests from a folder; the lock ends with the process, however it ends.

    Parameters
    ----------
    locks : Path
        Folder of lock files, common to all who might.
    folder : Path
        The hand-over folder; links in its path do not matter.
    holder : str
        Who holds it, in words, for the others.

    Raises
    ------
    Conflict
        When another process ingests from it; the message says which.
    """
    real = folder.resolve()
    path = locks / f"ingest-{hashlib.sha256(os.fsencode(real)).hexdigest()[:24]}.lock"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    except OSError as wrong:
        raise local_error(wrong, path) from wrong
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise _held(stream, real) from held
        stream.truncate(0)
        json.dump({"holder": holder, "pid": os.getpid(), "folder": str(real)}, stream)
        stream.flush()
        yield


def _held(stream: TextIOWrapper, folder: Path) -> Conflict:
    stream.seek(0)
    try:
        told = json.loads(stream.read())
        by = f"{told['holder']} (process {told['pid']})"
    except (ValueError, KeyError, TypeError):
        by = "another process"  # which has it, and has not written yet who it is
    return Conflict(
        f"{folder} is ingested by {by}",
        code="handover-held",
        next_step="let it do the work, or end it first; 'dpps logs ingest' shows what the service does",
        retryable=True,
        folder=folder,
    )
