"""Reading and copying of whole files with their checksum, in chunks."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Final

from dpps.adapters.storage.file_errors import file_errors
from dpps.domain.errors import Conflict
from dpps.domain.files import FileContent

__all__ = ["copy_bytes", "open_regular", "read_content", "sync_folder"]

CHUNK_BYTES: Final = 1024 * 1024


def open_regular(path: Path) -> FileIO:
    """Open a regular file for reading; a pipe or device is refused instead of waited for.

    Raises
    ------
    Conflict
        When something other than a regular file stands there.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Conflict(
            f"{path} is not a regular file",
            code="storage-not-a-file",
            next_step="move it out of the way",
            path=path,
        )
    return FileIO(descriptor)


def read_content(
    path: Path, *, name: str | None = None, proceed: Callable[[], None] | None = None
) -> FileContent:
    """Read a file to its end and return its size and checksum.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : str, optional
        What errors call it; its path by default.
    proceed : callable, optional
        Called before every chunk; raises to abandon the work.
    """
    shown = name or str(path)
    with file_errors(shown):
        stream = open_regular(path)
    with stream:
        return _drain(stream, shown, lambda _: None, proceed)


def copy_bytes(
    source: Path,
    destination: Path,
    *,
    names: tuple[str, str] | None = None,
    proceed: Callable[[], None] | None = None,
) -> FileContent:
    """Copy a file to a new name, bytes safe on disk at return; return what was read at the source.

    Parameters
    ----------
    source, destination : pathlib.Path
        The destination must not exist; its folder is made.
    names : tuple of two str, optional
        What errors call source and destination; their paths by default.
    proceed : callable, optional
        Called before every chunk; raises to abandon the work.

    Raises
    ------
    DppsError
        Whose identifier ``url`` tells which end failed.
    """
    source_name, destination_name = names or (str(source), str(destination))
    with file_errors(source_name):
        reader = open_regular(source)
    with reader, file_errors(destination_name):
        destination.parent.mkdir(parents=True, exist_ok=True)
        with destination.open("xb", buffering=0) as writer:

            def write(chunk: memoryview) -> None:
                while chunk:
                    chunk = chunk[writer.write(chunk) :]

            content = _drain(reader, source_name, write, proceed)
            os.fsync(writer.fileno())
            return content


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drain(
    stream: FileIO,
    name: str,
    consume: Callable[[memoryview], None],
    proceed: Callable[[], None] | None,
) -> FileContent:
    length = os.fstat(stream.fileno()).st_size
    buffer = memoryview(bytearray(max(1, min(CHUNK_BYTES, length + 1))))
    size_bytes, checksum = 0, zlib.adler32(b"")
    while True:
        if proceed is not None:
            proceed()
        with file_errors(name):
            count = stream.readinto(buffer)
        if not count:
            return FileContent(size_bytes=size_bytes, adler32=f"{checksum:08x}")
        chunk = buffer[:count]
        checksum = zlib.adler32(chunk, checksum)
        size_bytes += count
        consume(chunk)
