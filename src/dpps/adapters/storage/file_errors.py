"""Errors of the operating system, mapped to ours at the rim."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound, StorageFull, Unavailable

__all__ = ["file_errors", "mapped_file_error"]


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: type[DppsError]
    code: str
    what: str
    next_step: str
    retryable: bool | None = None


_FULL = _Meaning(
    StorageFull, "storage-full", "no room is left for", "free space on this storage, or add some"
)
_DENIED = _Meaning(
    Unavailable,
    "storage-access-denied",
    "the operating system denies access to",
    "give the user of this service read and write permission there",
    retryable=False,
)
_NOT_A_FILE = _Meaning(
    Conflict,
    "storage-not-a-file",
    "a folder or a special file stands in the way at",
    "move it out of the way",
)
_INPUT_OUTPUT = _Meaning(
    Unavailable, "storage-input-output", "the storage failed at", "look at the health of the disk or mount"
)
_NAME = _Meaning(
    InvalidInput, "storage-name-refused", "the file system refuses the name", "use a shorter, plain name"
)

_MEANINGS: Final[dict[int, _Meaning]] = {
    errno.ENOENT: _Meaning(NotFound, "file-missing", "there is no file", "check the name, or restore a copy"),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _DENIED,
    errno.EISDIR: _NOT_A_FILE,
    errno.ENOTDIR: _NOT_A_FILE,
    errno.EEXIST: _NOT_A_FILE,
    errno.ENAMETOOLONG: _NAME,
    errno.EINVAL: _NAME,
    errno.ELOOP: _NAME,
    errno.EIO: _INPUT_OUTPUT,
    errno.ESTALE: _INPUT_OUTPUT,
    errno.ETIMEDOUT: _INPUT_OUTPUT,
}


def mapped_file_error(error: OSError, name: str) -> DppsError:
    """Return our error for one of the operating system's.

    Parameters
    ----------
    error : OSError
        What the operating system said.
    name : str
        URL or path that the caller knows the file by.
    """
    meaning = _MEANINGS.get(error.errno or 0, _INPUT_OUTPUT)
    return meaning.kind(
        f"{meaning.what} {name}: {error.strerror or error}",
        code=meaning.code,
        next_step=meaning.next_step,
        retryable=meaning.retryable,
        url=name,
    )


@contextmanager
def file_errors(name: str) -> Iterator[None]:
    """Raise our errors for those of the operating system that happen inside."""
    try:
        yield
    except OSError as error:
        raise mapped_file_error(error, name) from error
