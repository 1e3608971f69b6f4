"""What a destination folder holds already: how a retrieval goes on where the last one ended.

The folder ``.dpps-get`` in the destination keeps ``manifest.sqlite`` (a row for each file that was verified
there),
``lock`` (one retrieval at a time) and ``partial/`` (files that are not complete; emptied at every start).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from dpps.data.fixity import local_error
from dpps.domain.errors import Conflict, InvalidInput
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["MANIFEST_FOLDER", "Manifest"]

MANIFEST_FOLDER = ".dpps-get"
_SCHEMA = """
create table if not exists file (
    path text primary key, lfn text not null, bytes integer not null, adler32 text not null,
    modified_ns integer not null
) without rowid
"""


class Manifest:
    """Opened for as long as a retrieval runs; holds the folder's lock.

    Parameters
    ----------
    destination : Path
        The folder that is filled; made when absent.

    Raises
    ------
    InvalidInput
        When it cannot be a folder to write into.
    Conflict
        When another retrieval fills it.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        own = destination / MANIFEST_FOLDER
        try:
            own.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as wrong:
            raise InvalidInput(
                f"{destination} cannot be a folder to write into: {wrong.strerror}",
                code="destination-invalid",
                next_step="name another folder with -o",
                path=destination,
            ) from wrong
        self._take_lock()
        self.partial = own / "partial"
        try:
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir()
            self._database = self._open(own / "manifest.sqlite")
        except OSError as wrong:
            raise local_error(wrong, own) from wrong

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.commit()
        with closing(self._database.execute("select 1 from file limit 1")) as found:
            unused = found.fetchone() is None
        self._database.close()
        # A retrieval that brought nothing leaves nothing behind in the reader's folder.
        shutil.rmtree(self.partial.parent if unused else self.partial, ignore_errors=True)
        os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Conflict(
                f"another retrieval is filling {self.destination}",
                code="destination-busy",
                next_step="wait for it, or name another folder with -o",
                retryable=True,
                path=self.destination,
            ) from None

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path)
        try:
            database.execute(_SCHEMA)
        except sqlite3.DatabaseError:
            # Cut short by a crash of the machine; all that it saves is reading files again.
            database.close()
            path.unlink()
            database = sqlite3.connect(path)
            database.execute(_SCHEMA)
        return database

    def knows(self, path: Path, content: FileContent) -> bool:
        """Tell whether a file was verified to have this content and was not touched since."""
        with closing(self._database.execute(
            "select bytes, adler32, modified_ns from file where path = ?", [self._key(path)]
        )) as found:  # fmt: skip
            row = found.fetchone()
        if row is None or row[:2] != (content.size_bytes, content.adler32):
            return False
        facts = path.stat(follow_symlinks=False)
        return (facts.st_size, facts.st_mtime_ns) == (content.size_bytes, row[2])

    def add(self, path: Path, lfn: Lfn, content: FileContent) -> None:
        """Note a file that was verified; kept on disk from the next `save` on."""
        modified_ns = path.stat(follow_symlinks=False).st_mtime_ns
        self._database.execute(
            "insert or replace into file values (?, ?, ?, ?, ?)",
            [self._key(path), lfn.name, content.size_bytes, content.adler32, modified_ns],
        )

    def save(self) -> None:
        """Write what was noted."""
        self._database.commit()

    def _key(self, path: Path) -> str:
        return str(path.relative_to(self.destination))
