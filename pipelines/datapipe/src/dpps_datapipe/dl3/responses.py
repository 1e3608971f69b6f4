"""The response HDUs of an event list."""

from typing import Any

import numpy as np

from dpps.domain.steps import ConfigurationError
from dpps_datapipe.dl3.grid import Choice, interpolate
from dpps_datapipe.dl3.headers import hdu_header
from dpps_datapipe.dl3.psf import fit_three_gaussians
from dpps_datapipe.irf.claims import BACKGROUND_CLAIM, claimed, in_claim
from dpps_datapipe.irf.findings import Limits
from dpps_datapipe.irf.reading import Axis, Floats, Response

__all__ = ["DEVIATION_IN_CLAIM", "response_hdus"]

#: Keyword of a point spread function: how far its containment is from that of the table, in claimed bins.
DEVIATION_IN_CLAIM = "PSFDEVCL"

_STEMS = {"ENERG": "TeV", "THETA": "deg", "MIGRA": "", "RAD": "deg", "DETX": "deg", "DETY": "deg"}
_GAUSSIAN_UNITS = {"SCALE": "sr-1", "SIGMA_1": "deg", "SIGMA_2": "deg", "SIGMA_3": "deg"}
#: Keywords of a response that an event list keeps.
_KEPT = ("LO_THRES", "HI_THRES", "OFFSMAX", "EVTYPE", "RAD_MAX", "CUTSHA", BACKGROUND_CLAIM)


def _axes_columns(axes: dict[str, Axis]) -> list[Any]:
    from astropy.io import fits

    columns = []
    for stem, axis in axes.items():
        for end, values in (("LO", axis.low), ("HI", axis.high)):
            columns.append(
                fits.Column(
                    f"{stem}_{end}",
                    f"{len(values)}E",
                    unit=_STEMS[stem] or None,
                    array=values[np.newaxis].astype(np.float32),
                )
            )
    return columns


def _table(name: str, header: Any, axes: dict[str, Axis], values: dict[str, tuple[Floats, str]]) -> Any:
    """Make an HDU of one row: axes and values of one shape."""
    from astropy.io import fits

    columns = _axes_columns(axes)
    for column, (array, unit) in values.items():
        shape = str(tuple(reversed(array.shape)))
        columns.append(
            fits.Column(
                column,
                f"{array.size}E",
                unit=unit or None,
                dim=shape,
                array=array[np.newaxis].astype(np.float32),
            )
        )
    return fits.BinTableHDU.from_columns(columns, header=header, name=name)


def _header(response: Response, enclosure: str, origin: Any, *classes: str) -> Any:
    header = hdu_header("RESPONSE", classes[0], enclosure, classes[1])
    header.update(origin)
    for name in _KEPT:
        if name in response.header:
            header[name] = (response.header[name], response.header.comments[name])
    return header


def _psf(choice: Choice, origin: Any) -> Any:
    """The point spread function as three Gaussians: the form that the validator of the observatory knows."""
    found = interpolate(choice, "PSF_TABLE", "RPSF")
    if found is None:
        return _gaussian_psf(choice, origin)
    response, values = found
    rings = response.axes["RAD"]
    # Solid angle of the rings, steradian.
    solid = 2.0 * np.pi * (np.cos(np.radians(rings.low)) - np.cos(np.radians(rings.high)))
    probability = np.moveaxis(values * solid[:, np.newaxis, np.newaxis], 0, -1)
    columns, deviation = fit_three_gaussians(rings, probability)
    header = _header(response, "FULL-ENCLOSURE", origin, "RPSF", "PSF_3GAUSS")
    header["PSFDEV"] = (float(deviation.max()), "largest deviation of containment")
    within = deviation[in_claim(response, claimed(choice.points[0].file, Limits()))]
    header[DEVIATION_IN_CLAIM] = (float(within.max(initial=0.0)), "the same in the claimed range")
    axes = {stem: response.axes[stem] for stem in ("ENERG", "THETA")}
    named = {name: (array, _GAUSSIAN_UNITS.get(name, "")) for name, array in columns.items()}
    return _table("POINT SPREAD FUNCTION", header, axes, named)


def _gaussian_psf(choice: Choice, origin: Any) -> Any:
    """A response that has Gaussians already; they are not interpolated.

    Raises
    ------
    ConfigurationError
        If they would have to be.
    """
    if choice.coordinates.shape[1]:
        raise ConfigurationError(
            "a point spread function of three Gaussians (PSF_3GAUSS) is not interpolated",
            path=choice.points[0].path,
            next_step="give responses with a table (PSF_TABLE), or the one that is nearest",
        )
    response = choice.points[0].file.of_kind("PSF_3GAUSS")[0]
    header = _header(response, "FULL-ENCLOSURE", origin, "RPSF", "PSF_3GAUSS")
    named = {name: (array, _GAUSSIAN_UNITS.get(name, "")) for name, array in response.values.items()}
    return _table("POINT SPREAD FUNCTION", header, dict(response.axes), named)


def _plain(
    choice: Choice,
    origin: Any,
    enclosure: str,
    name: str,
    *,
    column: str,
    unit: str,
    classes: tuple[str, str],
) -> Any:
    found = interpolate(choice, classes[1], column)
    if found is None:
        return None
    response, values = found
    header = _header(response, enclosure, origin, *classes)
    return _table(name, header, dict(response.axes), {column: (values, unit)})


def _common(choice: Choice, keyword: str, default: str) -> str:
    """Give a keyword that all responses share."""
    headers = [point.file.of_kind("AEFF_2D")[0].header for point in choice.points]
    words = [str(header.get(keyword, default)) for header in headers]
    for point, word in zip(choice.points, words, strict=True):
        if word != words[0]:
            first = f"{choice.points[0].path} {words[0] or 'not given'}"
            raise ConfigurationError(
                f"{keyword} is {word or 'not given'}, but in {first}",
                path=point.path,
                next_step="give responses of one kind and event type",
            )
    return words[0]


def response_hdus(choice: Choice, origin: Any) -> list[Any]:
    """Give the response at an observation.

    Parameters
    ----------
    choice : Choice
        Responses and how to interpolate between them.
    origin : astropy.io.fits.Header
        Keywords of instrument and observation, for all of them.

    Returns
    -------
    list of astropy.io.fits.BinTableHDU
        Effective area, energy dispersion, and what the responses have of point
        spread function, background, and cut in direction.
    """
    enclosure = _common(choice, "HDUCLAS3", "FULL-ENCLOSURE")
    _common(choice, "EVTYPE", "")
    background = choice.points[0].file.of_kind("BKG_2D", "BKG_3D")
    kind = background[0].kind if background else "BKG_2D"
    hdus = [
        _plain(
            choice,
            origin,
            enclosure,
            "EFFECTIVE AREA",
            column="EFFAREA",
            unit="m2",
            classes=("EFF_AREA", "AEFF_2D"),
        ),
        _plain(
            choice,
            origin,
            enclosure,
            "ENERGY DISPERSION",
            column="MATRIX",
            unit="",
            classes=("EDISP", "EDISP_2D"),
        ),
        _psf(choice, origin) if enclosure == "FULL-ENCLOSURE" else None,
        _plain(
            choice,
            origin,
            "FULL-ENCLOSURE",
            "BACKGROUND",
            column="BKG",
            unit="MeV-1 s-1 sr-1",
            classes=("BKG", kind),
        ),
    ]
    if enclosure == "POINT-LIKE":
        hdus.append(
            _plain(
                choice,
                origin,
                enclosure,
                "RAD_MAX",
                column="RAD_MAX",
                unit="deg",
                classes=("RAD_MAX", "RAD_MAX_2D"),
            )
        )
    return [hdu for hdu in hdus if hdu is not None]
