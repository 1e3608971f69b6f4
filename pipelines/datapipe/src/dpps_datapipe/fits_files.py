"""Whole FITS files: what ends too early is not read as a shorter product."""

import gzip
import warnings
import zlib
from pathlib import Path

from dpps.domain.steps import CorruptedInput

__all__ = ["check_fits"]

_READ_BYTES = 1 << 20


def check_fits(path: Path) -> None:
    """Check that a FITS file is whole, by the sizes that its headers tell.

    astropy takes a compressed file that ends between two HDUs for a shorter one:
    such a file is read to its end.

    Parameters
    ----------
    path : pathlib.Path
        FITS file, plain or gzipped.

    Raises
    ------
    CorruptedInput
        If it is truncated, no FITS file, or has nothing but a header.
    """
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                while packed.read(_READ_BYTES):
                    pass
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyUserWarning)
            # Opened here: astropy leaves a file open that it cannot read.
            with path.open("rb") as stream, fits.open(stream, disable_image_compression=True) as hdus:
                is_empty = len(hdus) < 2
    except (OSError, EOFError, ValueError, zlib.error, AstropyUserWarning) as error:
        raise CorruptedInput(
            f"truncated or no FITS file: {error}",
            path=path,
            next_step="compare its checksum and fetch it again",
        ) from error
    if is_empty:
        raise CorruptedInput("a FITS file without a table", path=path, next_step="fetch it again")
