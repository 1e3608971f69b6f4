"""Instrument response files (GADF): axes and values of every HDU."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpps.domain.steps import CorruptedInput, MissingInput
from dpps_datapipe.fits_files import check_fits
from dpps_datapipe.origins import ARRAY, Origins, origins_of

if TYPE_CHECKING:
    from astropy.io.fits import HDUList

__all__ = [
    "BACKGROUND_STATISTICS",
    "STATISTICS",
    "Axis",
    "Floats",
    "Response",
    "ResponseFile",
    "read_response",
    "responses_of",
]

type Floats = NDArray[np.float64]

#: Name of the HDU that says how many showers each bin of the effective area rests on.
STATISTICS = "STATISTICS"
#: The same of the background, by reconstructed energy.
BACKGROUND_STATISTICS = "STATISTICS BACKGROUND"
_OURS = (STATISTICS, BACKGROUND_STATISTICS)

_KINDS = frozenset({"AEFF_2D", "EDISP_2D", "PSF_TABLE", "PSF_3GAUSS", "BKG_2D", "BKG_3D", "RAD_MAX_2D"})
_UNITS = {"ENERG": "TeV", "THETA": "deg", "RAD": "deg", "DETX": "deg", "DETY": "deg", "MIGRA": ""}
_VALUE_UNITS = {
    "EFFAREA": "m2",
    "RPSF": "sr-1",
    "SCALE": "sr-1",
    "SIGMA_1": "deg",
    "SIGMA_2": "deg",
    "SIGMA_3": "deg",
    "RAD_MAX": "deg",
    "BKG": "MeV-1 s-1 sr-1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Bins along one quantity: energies in TeV, angles in degrees, shape ``(n,)``."""

    low: Floats
    high: Floats

    @property
    def edges(self) -> Floats:
        """Edges of the bins, shape ``(n + 1,)``."""
        return np.append(self.low, self.high[-1])

    @property
    def width(self) -> Floats:
        """Widths of the bins."""
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HDU of a response file."""

    #: Name of the HDU.
    name: str
    #: Word of GADF for its format, e.g. ``AEFF_2D``; the name of the HDU for our own.
    kind: str
    #: By the stem of the column names (ENERG, THETA, MIGRA, RAD, DETX, DETY).
    axes: Mapping[str, Axis]
    #: By column; the axes are in the order of FITS reversed: offset before energy, energy last.
    values: Mapping[str, Floats]
    header: Any = field(repr=False)

    @property
    def energy(self) -> Axis:
        """The axis of energy."""
        return self.axes["ENERG"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFile:
    """A response file."""

    path: Path
    responses: tuple[Response, ...]
    #: What it was made with, as far as it says so.
    origins: Origins = field(default_factory=Origins)

    def of_kind(self, *kinds: str) -> tuple[Response, ...]:
        """Give the HDUs of some kinds."""
        return tuple(response for response in self.responses if response.kind in kinds)


def _column(data: Any, columns: Any, name: str, unit: str) -> Floats:
    """Read a one-row column in a unit."""
    from astropy import units as u

    values = np.asarray(data[name][0], dtype=float)
    written = columns[name].unit
    if not unit:
        return np.asarray(values)
    if not written:
        raise ValueError(f"column {name} has no unit")
    return np.asarray(u.Quantity(values, written).to_value(unit))


def _response(path: Path, hdu: Any) -> Response:
    from astropy import units as u

    kind = hdu.name if hdu.name in _OURS else str(hdu.header.get("HDUCLAS4", ""))
    names = [column.name for column in hdu.columns]
    stems = [name.removesuffix("_LO") for name in names if name.endswith("_LO")]
    try:
        axes = {
            stem: Axis(
                low=np.atleast_1d(_column(hdu.data, hdu.columns, f"{stem}_LO", _UNITS.get(stem, ""))),
                high=np.atleast_1d(_column(hdu.data, hdu.columns, f"{stem}_HI", _UNITS.get(stem, ""))),
            )
            for stem in stems
        }
        values = {
            name: _column(hdu.data, hdu.columns, name, _VALUE_UNITS.get(name, ""))
            for name in names
            if not name.endswith(("_LO", "_HI"))
        }
    except (KeyError, IndexError, TypeError, ValueError, u.UnitsError) as error:
        raise CorruptedInput(f"HDU {hdu.name!r} does not read: {error}", path=path) from error
    return Response(name=hdu.name, kind=kind, axes=axes, values=values, header=hdu.header)


def responses_of(path: Path, hdus: "HDUList") -> ResponseFile:
    """Read the responses of open HDUs.

    Parameters
    ----------
    path : pathlib.Path
        Named in errors.
    hdus : astropy.io.fits.HDUList
        In memory or from a file.

    Returns
    -------
    ResponseFile

    Raises
    ------
    CorruptedInput
        If an HDU does not read.
    MissingInput
        If there is no effective area.
    """
    found = tuple(
        _response(path, hdu) for hdu in hdus[1:] if hdu.name in _OURS or hdu.header.get("HDUCLAS4") in _KINDS
    )
    areas = [response.header for response in found if response.kind == "AEFF_2D"]
    if not areas:
        raise MissingInput("no effective area (HDUCLAS4 = AEFF_2D)", path=path)
    origins = origins_of(path, areas[0], next((hdu for hdu in hdus[1:] if hdu.name == ARRAY), None))
    return ResponseFile(path=path, responses=found, origins=origins)


def read_response(path: Path) -> ResponseFile:
    """Read a response file.

    Parameters
    ----------
    path : pathlib.Path
        FITS file, plain or gzipped.

    Returns
    -------
    ResponseFile

    Raises
    ------
    MissingInput
        If the file or its effective area is not there.
    CorruptedInput
        If it is truncated or no FITS file.
    """
    import warnings

    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    if not path.is_file():
        raise MissingInput("the file is not there", path=path)
    check_fits(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyUserWarning)
            # Opened here: astropy leaves a file open that it cannot read.
            with path.open("rb") as stream, fits.open(stream, memmap=False) as hdus:
                return responses_of(path, hdus)
    except (OSError, EOFError, AstropyUserWarning) as error:
        raise CorruptedInput(
            f"truncated or no FITS file: {error}", path=path, next_step="fetch it again"
        ) from error
