"""What a response claims: range and kinds, and the bins of an HDU that are claimed. Pure functions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpps_datapipe.irf.findings import Bin, Finding, Limits
from dpps_datapipe.irf.reading import Axis, Floats, Response, ResponseFile

__all__ = [
    "BACKGROUND_CLAIM",
    "Mask",
    "bins_of",
    "check_claim",
    "check_kinds",
    "claimed",
    "energies_in_claim",
    "in_claim",
    "main_area",
    "write_claim",
]

type Mask = NDArray[np.bool_]

#: Keyword of a response that says whether its background can be used; without it: it can.
BACKGROUND_CLAIM = "BKGCLAIM"
#: What a response needs, by the words of GADF; a background where it is claimed, see `check_kinds`.
_DISPERSION, _SPREAD, _BACKGROUND = ("EDISP_2D",), ("PSF_TABLE", "PSF_3GAUSS"), ("BKG_2D", "BKG_3D")


def _centres(axis: Axis, logarithmic: bool) -> Floats:
    if logarithmic:
        return np.asarray(np.sqrt(axis.low * axis.high))
    return np.asarray((axis.low + axis.high) / 2.0)


def _offset_axis(response: Response) -> Axis:
    return response.axes.get("THETA", Axis(low=np.zeros(1), high=np.full(1, np.inf)))


def main_area(file: ResponseFile) -> Response:
    """Give the effective area of gammas: the first, by convention of GADF."""
    return file.of_kind("AEFF_2D")[0]


def _limit(given: float | None, header: float | None, default: float) -> float:
    """Prefer what the caller asks for, then what the file claims."""
    if given is not None:
        return given
    return default if header is None else float(header)


def claimed(file: ResponseFile, limits: Limits) -> Limits:
    """Complete the claimed range from the file.

    Parameters
    ----------
    file : ResponseFile
        Its effective area may claim a range (``LO_THRES``, ``HI_THRES`` in TeV,
        ``OFFSMAX`` in degrees); else the range is from its first to its last bin
        that is not empty, at all offsets. It may claim no background (``BKGCLAIM``).
    limits : Limits
        What the caller asks for goes before the claims of the file.

    Returns
    -------
    Limits
        With a range.
    """
    area = main_area(file)
    filled = np.any(area.values["EFFAREA"] > 0.0, axis=0)
    indices = np.flatnonzero(filled)
    low = float(area.energy.low[indices[0]]) if indices.size else 0.0
    high = float(area.energy.high[indices[-1]]) if indices.size else np.inf
    background = limits.claims_background
    return replace(
        limits,
        energy_min_tev=_limit(limits.energy_min_tev, area.header.get("LO_THRES"), low),
        energy_max_tev=_limit(limits.energy_max_tev, area.header.get("HI_THRES"), high),
        offset_max_deg=_limit(limits.offset_max_deg, area.header.get("OFFSMAX"), np.inf),
        claims_background=bool(area.header.get(BACKGROUND_CLAIM, True)) if background is None else background,
    )


def energies_in_claim(response: Response, limits: Limits) -> Mask:
    """Find the bins of energy whose centre is in the claimed range: shape ``(n_energy,)``."""
    energy = _centres(response.energy, logarithmic=True)
    low = 0.0 if limits.energy_min_tev is None else limits.energy_min_tev
    high = np.inf if limits.energy_max_tev is None else limits.energy_max_tev
    return np.asarray((energy >= low) & (energy <= high))


def in_claim(response: Response, limits: Limits) -> Mask:
    """Find the bins whose centre is in the claimed range.

    Parameters
    ----------
    response : Response
        With an axis of energy.
    limits : Limits
        What is claimed.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_offset, n_energy)``.
    """
    inside = energies_in_claim(response, limits)
    offset = _centres(_offset_axis(response), logarithmic=False)
    reach = np.inf if limits.offset_max_deg is None else limits.offset_max_deg
    near = (offset <= reach) | ~np.isfinite(offset)
    return np.asarray(near[:, np.newaxis] & inside[np.newaxis, :])


def bins_of(response: Response, wrong: Mask, values: Floats | None = None) -> tuple[Bin, ...]:
    """Name the bins of a mask.

    Parameters
    ----------
    response : Response
        Whose bins.
    wrong : numpy.ndarray
        Mask, shape ``(n_offset, n_energy)``.
    values : numpy.ndarray or None
        What is found there, of the same shape.

    Returns
    -------
    tuple of Bin
    """
    offset, energy = _offset_axis(response), response.energy
    known = "THETA" in response.axes
    return tuple(
        Bin(
            energy_min_tev=float(energy.low[j]),
            energy_max_tev=float(energy.high[j]),
            offset_min_deg=float(offset.low[i]) if known else None,
            offset_max_deg=float(offset.high[i]) if known else None,
            value=None if values is None else float(values[i, j]),
        )
        for i, j in np.argwhere(wrong)
    )


def write_claim(header: Any, limits: Limits) -> None:
    """Write a claim into the header of an effective area: the values that are given.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Changed in place.
    limits : Limits
        The claim.
    """
    values = (
        ("LO_THRES", limits.energy_min_tev, "[TeV] lowest claimed energy"),
        ("HI_THRES", limits.energy_max_tev, "[TeV] highest claimed energy"),
        ("OFFSMAX", limits.offset_max_deg, "[deg] largest claimed offset"),
        (BACKGROUND_CLAIM, limits.claims_background, "whether the background can be used"),
    )
    for keyword, value, comment in values:
        if value is not None:
            header[keyword] = (value, comment)


def check_claim(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    """Check that a claim holds any bin: of an empty one nothing would be checked.

    Parameters
    ----------
    file : ResponseFile
        The response.
    limits : Limits
        Its claim, see `claimed`.

    Yields
    ------
    Finding
        At most one; it refuses.
    """
    area = main_area(file)
    low, high, reach = limits.energy_min_tev, limits.energy_max_tev, limits.offset_max_deg
    said = f"{low:g} to {high:g} TeV, offsets up to {reach:g} deg"
    # Also false of what is not a number.
    in_order = low is not None and high is not None and reach is not None and low < high and reach >= 0.0
    if not in_order:
        yield Finding(check="claim-empty", hdu=area.name, message=f"the claimed range is empty: {said}")
    elif not in_claim(area, limits).any():
        yield Finding(
            check="claim-empty", hdu=area.name, message=f"no bin lies in the claimed range of {said}"
        )


def check_kinds(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    """Check that a response is complete.

    An analysis of a point source, for which a point-like response is made, takes its
    background from beside the source: such a response needs none.

    Parameters
    ----------
    file : ResponseFile
        The response.
    limits : Limits
        Its claim, see `claimed`.

    Yields
    ------
    Finding
        One for each kind that is missing; it refuses.
    """
    area = main_area(file)
    needed: dict[str, tuple[str, ...]] = {"energy dispersion": _DISPERSION}
    if area.header.get("HDUCLAS3") != "POINT-LIKE":
        needed["point spread function"] = _SPREAD
        if limits.claims_background:
            needed["background"] = _BACKGROUND
    for name, kinds in needed.items():
        if not file.of_kind(*kinds):
            yield Finding(
                check="kind-missing",
                hdu=area.name,
                message=f"the response has no {name} ({', '.join(kinds)})",
            )
