"""Size and checksum of local files: the evidence that bits are unchanged."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Callable
from pathlib import Path

from dpps.domain.errors import DamagedFile, DppsError, NotFound, StorageFull, Unavailable
from dpps.domain.files import FileContent

__all__ = ["local_error", "read_content"]

_CHUNK_BYTES = 4 * 1024 * 1024


def read_content(path: Path, consume: Callable[[bytes], object] | None = None) -> FileContent:
    """Read a local file to its end.

    Parameters
    ----------
    path : Path
        The file.
    consume : callable, optional
        Gets every chunk, in order.

    Raises
    ------
    DppsError
        When the file cannot be opened or read; see `local_error`.
    """
    size_bytes, checksum = 0, zlib.adler32(b"")
    try:
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                checksum = zlib.adler32(chunk, checksum)
                size_bytes += len(chunk)
                if consume is not None:
                    consume(chunk)
    except OSError as wrong:
        raise local_error(wrong, path) from wrong
    return FileContent(size_bytes=size_bytes, adler32=f"{checksum:08x}")


def local_error(wrong: OSError, path: Path) -> DppsError:
    """Return our error for what the operating system said of a local path."""
    message = f"{path}: {wrong.strerror or wrong}"
    if isinstance(wrong, FileNotFoundError):
        return NotFound(message, code="file-missing", next_step="check the path", path=path)
    if isinstance(wrong, PermissionError | IsADirectoryError | NotADirectoryError):
        return DamagedFile(
            message,
            code="file-unreadable",
            next_step="make it a file that this user may read",
            path=path,
        )
    if wrong.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(message, code="storage-full", next_step="free space on this disk", path=path)
    return Unavailable(
        message, code="storage-input-output", next_step="look at the health of the disk or mount", path=path
    )
