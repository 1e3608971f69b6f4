"""The inspector of raw FITS files: every checksum of every table, completeness, and what the file says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from dpps.adapters.zfits.checksums import ALL_ONES, add
from dpps.adapters.zfits.stream import Stream, describe_stream
from dpps.adapters.zfits.tiles import count_rows
from dpps.adapters.zfits.units import FitsFile, read_units
from dpps.data.fixity import local_error
from dpps.data.ports import Inspection
from dpps.domain.errors import DamagedFile, DppsError
from dpps.domain.files import MetadataValue

__all__ = ["ZfitsInspector"]

_SUFFIXES = (".fits.fz", ".fits")


class ZfitsInspector:
    """Reads ``.fits.fz`` and ``.fits`` files of the acquisition system, each once from beginning to end."""

    def accepts(self, path: Path) -> bool:
        """Tell by the name."""
        return path.name.endswith(_SUFFIXES)

    def inspect(self, path: Path) -> Inspection:
        """Read everything, check it, and extract the stream's metadata.

        Raises
        ------
        DamagedFile
            When a checksum is wrong or absent, bytes are missing or left over, a table has other rows than
            it says, a table that the stream needs is absent, or required metadata are.
        """
        with _fits_errors(path), path.open("rb", buffering=0) as stream:
            file = read_units(stream)
            if file.content.size_bytes == 0:
                raise _damaged(path, "it is empty")
            _check_units(path, file)
            rows = _check_rows(path, stream, file)
            metadata = _metadata(path, stream, file, rows)
        return Inspection(content=file.content, metadata=metadata)


def _check_units(path: Path, file: FitsFile) -> None:
    size_bytes = file.content.size_bytes
    for unit in file.units:
        if unit.end > size_bytes:
            raise _damaged(path, f"{unit} ends at byte {unit.end}, the file at {size_bytes}: it was cut")
        if str(unit.data_sum) != str(unit.cards.get("DATASUM", "")).strip():
            raise _damaged(path, f"{unit} has no DATASUM or other data than it says")
        if "CHECKSUM" not in unit.cards or add(unit.header_sum, unit.data_sum) != ALL_ONES:
            raise _damaged(path, f"{unit} has no CHECKSUM or another header than it says")
    if file.left_over_bytes:
        raise _damaged(path, f"{file.left_over_bytes} bytes follow the last complete table")


def _check_rows(path: Path, stream: FileIO, file: FitsFile) -> Mapping[int, int]:
    """Return the number of rows of each table, by its number."""
    rows: dict[int, int] = {}
    for unit in file.units[1:]:
        if not unit.cards.get("ZTABLE"):
            rows[unit.number] = int(unit.cards.get("NAXIS2", 0))
            continue
        told = int(unit.cards.get("ZNAXIS2", -1))
        found = rows[unit.number] = count_rows(stream.fileno(), unit)
        if found != told:
            raise _damaged(path, f"{unit} holds {found} rows and says {told}: it is not complete")
    return rows


def _metadata(
    path: Path, stream: FileIO, file: FitsFile, rows: Mapping[int, int]
) -> dict[str, MetadataValue]:
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings():
        # Every finding is an error of ours or no matter; nobody reads warnings of a worker process.
        warnings.simplefilter("ignore", AstropyUserWarning)
        told = describe_stream(path, Stream(file.units, rows, stream.fileno()))
    return {**told, "dpps__valid_checksums": True}


@contextmanager
def _fits_errors(path: Path) -> Iterator[None]:
    from astropy.io.fits import VerifyError

    try:
        yield
    except DamagedFile:
        raise
    except DppsError as wrong:
        raise _damaged(path, wrong.message) from wrong
    except OSError as wrong:
        if wrong.errno is None:  # astropy's own complaint about the content
            raise _damaged(path, str(wrong)) from wrong
        raise local_error(wrong, path) from wrong
    except (ValueError, LookupError, TypeError, VerifyError, EOFError) as wrong:
        raise _damaged(path, f"it is no readable FITS file: {wrong}") from wrong


def _damaged(path: Path, why: str) -> DamagedFile:
    return DamagedFile(
        f"{path}: {why}",
        code="file-damaged",
        next_step="hand it over again from its source",
        path=path,
    )
