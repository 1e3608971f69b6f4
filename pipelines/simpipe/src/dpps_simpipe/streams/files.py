"""Files that appear complete or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpps.domain.errors import Conflict, StorageFull

__all__ = ["published", "verify"]


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """Give a temporary name; on success flush it to disk and rename it to `path`.

    Parameters
    ----------
    path : pathlib.Path
        The final name; its folder is made.

    Yields
    ------
    pathlib.Path
        The temporary name, in the same folder.

    Raises
    ------
    Conflict
        If `path` exists.
    """
    if path.exists():
        raise Conflict(
            f"{path} exists",
            code="simpipe.output-exists",
            next_step="Choose an empty folder, or another seed.",
            path=path,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)  # of a try that was killed
    try:
        yield temporary
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def verify(path: Path, n_rows: dict[str, int]) -> None:
    """Read a new zfits file back: its writer reports no error on a full disk.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    n_rows : dict of str to int
        Rows of each table, in the order of the file.

    Raises
    ------
    StorageFull
        If a checksum or a number of rows is not what was written.
    """
    from astropy.io import fits

    try:
        with fits.open(path) as hdus:
            intact = all(hdu.verify_checksum() == 1 and hdu.verify_datasum() == 1 for hdu in hdus)
            rows = {hdu.name: hdu.header["ZNAXIS2"] for hdu in hdus[1:]}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _not_as_written(path, f"cannot be read back ({error})") from error
    if not intact or rows != n_rows:
        raise _not_as_written(path, "is not what was written")


def _not_as_written(path: Path, what: str) -> StorageFull:
    return StorageFull(
        f"{path} {what}: is the disk full?",
        code="simpipe.stream-not-written",
        next_step="Make room and try again.",
        path=path,
    )
