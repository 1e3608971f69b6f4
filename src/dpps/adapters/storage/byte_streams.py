"""Reading and copying of whole files with their checksum, in chunks."""

from __future__ import annotations

import os
import stat
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from dpps.adapters.storage.file_errors import file_errors
from dpps.domain.errors import Conflict
from dpps.domain.files import FileContent

__all__ = [
    "CHUNK_BYTES",
    "copy_bytes",
    "open_local",
    "open_regular",
    "read_content",
    "sync_folder",
    "write_chunks",
]

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


@contextmanager
def open_local(path: Path, name: str | None = None) -> Iterator[tuple[Iterator[bytes], int]]:
    """Give the chunks of a file and its length in bytes.

    Raises
    ------
    DppsError
        When it cannot be read.
    """
    shown = name or str(path)
    with file_errors(shown):
        stream = open_regular(path)
    with stream:
        yield _chunks(stream, shown), os.fstat(stream.fileno()).st_size


def write_chunks(path: Path, chunks: Iterable[bytes], name: str | None = None) -> FileContent:
    """Write a file under a temporary name, then rename; return what was written.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder is made, and a file of that name is replaced.
    chunks : iterable of bytes
        The content; an error that it raises leaves nothing behind.
    name : str, optional
        What errors call the file; its path by default.
    """
    shown = name or str(path)
    temporary = path.with_name(f".dpps-{uuid.uuid4().hex}")
    size_bytes, checksum = 0, zlib.adler32(b"")
    try:
        with file_errors(shown):
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = temporary.open("xb")
        with writer:
            for chunk in chunks:
                with file_errors(shown):
                    writer.write(chunk)
                size_bytes += len(chunk)
                checksum = zlib.adler32(chunk, checksum)
            with file_errors(shown):
                writer.flush()
                os.fsync(writer.fileno())
        with file_errors(shown):
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return FileContent(size_bytes=size_bytes, adler32=f"{checksum:08x}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _chunks(stream: FileIO, name: str) -> Iterator[bytes]:
    while True:
        with file_errors(name):
            chunk = stream.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


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
