"""Decide whether the statistics behind a response bear what it claims. Pure functions."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dpps_datapipe.irf.findings import Bin, Finding, Limits
from dpps_datapipe.irf.reading import STATISTICS, Axis, Floats, Response, ResponseFile

__all__ = ["check_response", "claimed", "gauss_containment", "table_containment"]

type Mask = NDArray[np.bool_]

#: Points at which the containment of a sum of Gaussians is looked at, in units of its largest width.
_RADII = np.linspace(0.0, 8.0, 81)
_ROUNDING = 1e-6


def _centres(axis: Axis, logarithmic: bool) -> Floats:
    if logarithmic:
        return np.asarray(np.sqrt(axis.low * axis.high))
    return np.asarray((axis.low + axis.high) / 2.0)


def _offset_axis(response: Response) -> Axis:
    return response.axes.get("THETA", Axis(low=np.zeros(1), high=np.full(1, np.inf)))


def _main_area(file: ResponseFile) -> Response:
    """The effective area of gammas: the first, by convention of GADF."""
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
        that is not empty, at all offsets.
    limits : Limits
        What the caller asks for goes before the claims of the file.

    Returns
    -------
    Limits
        With a range.
    """
    area = _main_area(file)
    filled = np.any(area.values["EFFAREA"] > 0.0, axis=0)
    indices = np.flatnonzero(filled)
    low = float(area.energy.low[indices[0]]) if indices.size else 0.0
    high = float(area.energy.high[indices[-1]]) if indices.size else np.inf
    return Limits(
        energy_min_tev=_limit(limits.energy_min_tev, area.header.get("LO_THRES"), low),
        energy_max_tev=_limit(limits.energy_max_tev, area.header.get("HI_THRES"), high),
        offset_max_deg=_limit(limits.offset_max_deg, area.header.get("OFFSMAX"), np.inf),
        max_relative_error=limits.max_relative_error,
        dispersion_tolerance=limits.dispersion_tolerance,
        containment_tolerance=limits.containment_tolerance,
        needs_statistics=limits.needs_statistics,
    )


def _in_claim(response: Response, limits: Limits) -> Mask:
    """Bins whose centre is in the claimed range: shape ``(n_offset, n_energy)``."""
    energy = _centres(response.energy, logarithmic=True)
    offset = _centres(_offset_axis(response), logarithmic=False)
    low = 0.0 if limits.energy_min_tev is None else limits.energy_min_tev
    high = np.inf if limits.energy_max_tev is None else limits.energy_max_tev
    reach = np.inf if limits.offset_max_deg is None else limits.offset_max_deg
    inside = (energy >= low) & (energy <= high)
    near = (offset <= reach) | ~np.isfinite(offset)
    return np.asarray(near[:, np.newaxis] & inside[np.newaxis, :])


def _bins(response: Response, wrong: Mask, values: Floats | None = None) -> tuple[Bin, ...]:
    """Name the bins of a mask of shape ``(n_offset, n_energy)``."""
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


def _check_area(area: Response, limits: Limits, thrown_area_m2: float | None) -> Iterator[Finding]:
    values = area.values["EFFAREA"]
    unusable = ~np.isfinite(values) | (values < 0.0)
    if unusable.any():
        yield Finding(
            check="area-not-a-number",
            hdu=area.name,
            message=f"{unusable.sum()} bins are negative or not finite",
            bins=_bins(area, unusable, values),
        )
    if thrown_area_m2 is not None:
        above = np.nan_to_num(values) > thrown_area_m2 * (1.0 + _ROUNDING)
        if above.any():
            yield Finding(
                check="area-above-thrown",
                hdu=area.name,
                message=f"{above.sum()} bins above the thrown area of {thrown_area_m2:.4g} m²",
                bins=_bins(area, above, values),
            )
    empty = _in_claim(area, limits) & ~(values > 0.0)
    if empty.any():
        yield Finding(
            check="area-empty",
            hdu=area.name,
            message=f"{empty.sum()} bins are empty in the claimed range",
            bins=_bins(area, empty),
        )


def _check_showers(statistics: Response, limits: Limits) -> Iterator[Finding]:
    showers = statistics.values["N_SHOWERS"]
    few = _in_claim(statistics, limits) & (showers < limits.min_showers)
    if few.any():
        yield Finding(
            check="too-few-showers",
            hdu=statistics.name,
            message=(
                f"{few.sum()} bins rest on fewer than {limits.min_showers} distinct showers "
                f"(relative error above {limits.max_relative_error:g})"
            ),
            bins=_bins(statistics, few, showers),
        )


def _check_dispersion(dispersion: Response, limits: Limits) -> Iterator[Finding]:
    # offset, migration, energy
    matrix = dispersion.values["MATRIX"]
    integral = np.einsum("ome,m->oe", matrix, dispersion.axes["MIGRA"].width)
    # Some writers (the official prod5 responses) fill in probabilities where GADF asks for densities;
    # Gammapy normalises both.
    summed = matrix.sum(axis=1)
    deviation = np.minimum(np.abs(integral - 1.0), np.abs(summed - 1.0))
    wrong = _in_claim(dispersion, limits) & ~(deviation <= limits.dispersion_tolerance)
    if wrong.any():
        yield Finding(
            check="dispersion-not-normalised",
            hdu=dispersion.name,
            message=(f"{wrong.sum()} rows do not add up to one within {limits.dispersion_tolerance:g}"),
            bins=_bins(dispersion, wrong, integral),
        )
    negative = (matrix < 0.0).any(axis=1)
    if negative.any():
        yield Finding(
            check="dispersion-negative",
            hdu=dispersion.name,
            message=f"{negative.sum()} rows have negative probabilities",
            bins=_bins(dispersion, negative),
        )


def table_containment(psf: Response) -> Floats:
    """Containment at the outer edges of the rings: shape ``(n_radius, n_offset, n_energy)``."""
    ring = psf.axes["RAD"]
    # Solid angle of a ring on the sphere, steradian.
    solid = 2.0 * np.pi * (np.cos(np.radians(ring.low)) - np.cos(np.radians(ring.high)))
    return np.asarray(np.cumsum(psf.values["RPSF"] * solid[:, np.newaxis, np.newaxis], axis=0))


def gauss_containment(psf: Response) -> tuple[Floats, Floats]:
    """Radii in degrees and containment for a sum of three Gaussians (GADF PSF_3GAUSS).

    Out to 8 of its largest widths; shapes as `table_containment`.
    """
    values = psf.values
    widths = [np.radians(values[f"SIGMA_{n}"]) for n in (1, 2, 3)]
    amplitudes = [np.ones_like(widths[0]), values["AMPL_2"], values["AMPL_3"]]
    radius = np.max(widths, axis=0) * _RADII[:, np.newaxis, np.newaxis]
    total = np.zeros_like(radius)
    for amplitude, width in zip(amplitudes, widths, strict=True):
        used = (amplitude != 0.0) & (width > 0.0)
        safe = np.where(used, width, 1.0)
        part = 2.0 * np.pi * safe**2 * (1.0 - np.exp(-0.5 * (radius / safe) ** 2))
        total += np.where(used, amplitude * part, 0.0)
    return np.degrees(radius), np.asarray(values["SCALE"] * total)


def _check_psf(psf: Response, limits: Limits) -> Iterator[Finding]:
    containment = table_containment(psf) if psf.kind == "PSF_TABLE" else gauss_containment(psf)[1]
    inside = _in_claim(psf, limits)
    falling = inside & (np.diff(containment, axis=0) < -_ROUNDING).any(axis=0)
    if falling.any():
        yield Finding(
            check="containment-not-monotone",
            hdu=psf.name,
            message=f"the containment falls with the radius in {falling.sum()} bins",
            bins=_bins(psf, falling),
        )
    full = containment[-1]
    wrong = inside & ~(np.abs(full - 1.0) <= limits.containment_tolerance)
    if wrong.any():
        yield Finding(
            check="containment-not-one",
            hdu=psf.name,
            message=(
                f"the full containment of {wrong.sum()} bins is not one within "
                f"{limits.containment_tolerance:g}"
            ),
            bins=_bins(psf, wrong, full),
            # The official prod5 responses have SCALE = 1: readers normalise sums of Gaussians.
            refuses=psf.kind == "PSF_TABLE",
        )


def _check_cut(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    """A response after a cut in direction must say the cut (GADF: an HDU, or a keyword for one radius)."""
    area = _main_area(file)
    if area.header.get("HDUCLAS3") != "POINT-LIKE":
        return
    cuts = file.of_kind("RAD_MAX_2D")
    if not cuts and not float(area.header.get("RAD_MAX", 0.0)) > 0.0:
        yield Finding(
            check="cut-in-direction-missing",
            hdu=area.name,
            message="the response is point-like, but has no cut in direction (RAD_MAX)",
        )
    for cut in cuts:
        radius = cut.values["RAD_MAX"]
        wrong = _in_claim(cut, limits) & ~(np.isfinite(radius) & (radius > 0.0))
        if wrong.any():
            yield Finding(
                check="cut-in-direction-empty",
                hdu=cut.name,
                message=f"{wrong.sum()} bins have no radius in the claimed range",
                bins=_bins(cut, wrong, radius),
            )


def _check_background(background: Response, limits: Limits) -> Iterator[Finding]:
    rate = background.values["BKG"]
    unusable = ~np.isfinite(rate) | (rate < 0.0)
    if unusable.any():
        yield Finding(
            check="background-not-a-number",
            hdu=background.name,
            message=f"{unusable.sum()} bins are negative or not finite",
        )
    if background.kind == "BKG_2D":
        empty = _in_claim(background, limits) & (rate == 0.0)
        if empty.any():
            yield Finding(
                check="background-empty",
                hdu=background.name,
                message=f"{empty.sum()} bins have no background: too few background showers there",
                bins=_bins(background, empty),
                refuses=False,
            )


def _check_statistics(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    statistics = file.of_kind(STATISTICS)
    if statistics:
        yield from _check_showers(statistics[0], limits)
    else:
        yield Finding(
            check="statistics-unknown",
            hdu=_main_area(file).name,
            message="the file does not say how many showers its bins rest on, nor the thrown area",
            refuses=limits.needs_statistics,
        )


def check_response(file: ResponseFile, limits: Limits) -> tuple[Finding, ...]:
    """Check a response.

    Parameters
    ----------
    file : ResponseFile
        The response.
    limits : Limits
        What it claims and how well it must be known; a range that is not given
        is taken from the file (see `claimed`).

    Returns
    -------
    tuple of Finding
        Empty: nothing is wrong. Those with ``refuses`` make the response unusable.
    """
    limits = claimed(file, limits)
    statistics = file.of_kind(STATISTICS)
    thrown = float(statistics[0].header["THROWNAR"]) if statistics else None
    findings = list(_check_area(_main_area(file), limits, thrown))
    findings += _check_statistics(file, limits)
    findings += _check_cut(file, limits)
    for dispersion in file.of_kind("EDISP_2D"):
        findings += _check_dispersion(dispersion, limits)
    for psf in file.of_kind("PSF_TABLE", "PSF_3GAUSS"):
        findings += _check_psf(psf, limits)
    for background in file.of_kind("BKG_2D", "BKG_3D"):
        findings += _check_background(background, limits)
    return tuple(findings)
