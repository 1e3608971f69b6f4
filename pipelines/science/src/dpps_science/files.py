"""Files that are there as a whole or not at all."""

import errno
from pathlib import Path

from dpps.domain.steps import StorageError

__all__ = ["write_whole"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then give it its own; its folder is made.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as failure:
        part.unlink(missing_ok=True)
        then = "make room" if failure.errno in _NO_ROOM else "choose another place"
        raise StorageError(f"it cannot be written: {failure.strerror}", then, path=path) from failure
