"""The inspector of DL0 streams: every checksum of every table, completeness, and what the file says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dpps.adapters.zfits.checksums import ALL_ONES, add, block_sum
from dpps.adapters.zfits.stream import describe_stream
from dpps.data.fixity import local_error, read_content
from dpps.data.ports import Inspection
from dpps.domain.errors import DamagedFile, DppsError
from dpps.domain.files import FileContent

__all__ = ["ZfitsInspector"]

_SUFFIX = ".fits.fz"


class ZfitsInspector:
    """Reads ``.fits.fz`` streams of the acquisition system."""

    def accepts(self, path: Path) -> bool:
        """Tell by the name."""
        return path.name.endswith(_SUFFIX)

    def inspect(self, path: Path) -> Inspection:
        """Read everything, check it, and extract the stream's metadata.

        Raises
        ------
        DamagedFile
            When a checksum is wrong or absent, bytes are missing or left over, a table that the stream
            needs is absent, or required metadata are.
        """
        content = read_content(path)
        if content.size_bytes == 0:
            raise _damaged(path, "it is empty")
        with _fits_errors(path), _opened(path) as tables:
            _check_tables(path, tables, content)
            metadata = describe_stream(path, {table.name: table for table in tables})
        return Inspection(content=content, metadata={**metadata, "dpps__valid_checksums": True})


def _check_tables(path: Path, tables: Any, content: FileContent) -> None:
    from astropy.io.fits import BinTableHDU, PrimaryHDU

    end = 0
    for number, table in enumerate(tables):
        if not isinstance(table, PrimaryHDU | BinTableHDU):
            raise _damaged(path, f"table {number} cannot be read")
        name = f"table {number} ({table.name})"
        place: Mapping[str, Any] = table.fileinfo()
        end = place["datLoc"] + place["datSpan"]
        if end > content.size_bytes:
            raise _damaged(path, f"{name} ends at byte {end}, the file at {content.size_bytes}: it was cut")
        head_sum = block_sum(path, place["hdrLoc"], place["datLoc"])
        data_sum = block_sum(path, place["datLoc"], end)
        if data_sum != int(table.header.get("DATASUM", -1)):
            raise _damaged(path, f"{name} has no DATASUM or other data than it says")
        if "CHECKSUM" not in table.header or add(head_sum, data_sum) != ALL_ONES:
            raise _damaged(path, f"{name} has no CHECKSUM or another header than it says")
    if end != content.size_bytes:
        raise _damaged(path, f"{content.size_bytes - end} bytes follow the last complete table")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings():
        # astropy warns where we raise: every finding is checked by `_check_tables`.
        warnings.simplefilter("ignore", AstropyUserWarning)
        with fits.open(path, disable_image_compression=True, memmap=False) as tables:
            len(tables)  # reads all headers
            yield tables


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
