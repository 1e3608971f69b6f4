"""Decide whether the statistics behind a response bear what it claims. Pure functions."""

from collections.abc import Iterator

import numpy as np

from dpps_datapipe.irf.background import check_background
from dpps_datapipe.irf.claims import bins_of, check_claim, check_kinds, claimed, in_claim, main_area
from dpps_datapipe.irf.findings import Finding, Limits
from dpps_datapipe.irf.reading import STATISTICS, Floats, Response, ResponseFile

__all__ = ["check_response", "gauss_containment", "table_containment"]

#: Points at which the containment of a sum of Gaussians is looked at, in units of its largest width.
_RADII = np.linspace(0.0, 8.0, 81)
_ROUNDING = 1e-6


def _check_area(area: Response, limits: Limits, thrown_area_m2: float | None) -> Iterator[Finding]:
    values = area.values["EFFAREA"]
    unusable = ~np.isfinite(values) | (values < 0.0)
    if unusable.any():
        yield Finding(
            check="area-not-a-number",
            hdu=area.name,
            message=f"{unusable.sum()} bins are negative or not finite",
            bins=bins_of(area, unusable, values),
        )
    if thrown_area_m2 is not None:
        above = np.nan_to_num(values) > thrown_area_m2 * (1.0 + _ROUNDING)
        if above.any():
            yield Finding(
                check="area-above-thrown",
                hdu=area.name,
                message=f"{above.sum()} bins above the thrown area of {thrown_area_m2:.4g} m²",
                bins=bins_of(area, above, values),
            )
    empty = in_claim(area, limits) & ~(values > 0.0)
    if empty.any():
        yield Finding(
            check="area-empty",
            hdu=area.name,
            message=f"{empty.sum()} bins are empty in the claimed range",
            bins=bins_of(area, empty),
        )


def _check_showers(statistics: Response, limits: Limits) -> Iterator[Finding]:
    showers = statistics.values["N_SHOWERS"]
    few = in_claim(statistics, limits) & (showers < limits.min_showers)
    if few.any():
        yield Finding(
            check="too-few-showers",
            hdu=statistics.name,
            message=(
                f"{few.sum()} bins rest on fewer than {limits.min_showers} distinct showers "
                f"(relative error above {limits.max_relative_error:g})"
            ),
            bins=bins_of(statistics, few, showers),
        )


def _check_dispersion(dispersion: Response, limits: Limits) -> Iterator[Finding]:
    # offset, migration, energy
    matrix = dispersion.values["MATRIX"]
    integral = np.einsum("ome,m->oe", matrix, dispersion.axes["MIGRA"].width)
    # Some writers (the official prod5 responses) fill in probabilities where GADF asks for densities;
    # Gammapy normalises both.
    summed = matrix.sum(axis=1)
    deviation = np.minimum(np.abs(integral - 1.0), np.abs(summed - 1.0))
    wrong = in_claim(dispersion, limits) & ~(deviation <= limits.dispersion_tolerance)
    if wrong.any():
        yield Finding(
            check="dispersion-not-normalised",
            hdu=dispersion.name,
            message=(f"{wrong.sum()} rows do not add up to one within {limits.dispersion_tolerance:g}"),
            bins=bins_of(dispersion, wrong, integral),
        )
    negative = (matrix < 0.0).any(axis=1)
    if negative.any():
        yield Finding(
            check="dispersion-negative",
            hdu=dispersion.name,
            message=f"{negative.sum()} rows have negative probabilities",
            bins=bins_of(dispersion, negative),
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
    inside = in_claim(psf, limits)
    falling = inside & (np.diff(containment, axis=0) < -_ROUNDING).any(axis=0)
    if falling.any():
        yield Finding(
            check="containment-not-monotone",
            hdu=psf.name,
            message=f"the containment falls with the radius in {falling.sum()} bins",
            bins=bins_of(psf, falling),
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
            bins=bins_of(psf, wrong, full),
            # The official prod5 responses have SCALE = 1: readers normalise sums of Gaussians.
            refuses=psf.kind == "PSF_TABLE",
        )


def _check_cut(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    """A response after a cut in direction must say the cut (GADF: an HDU, or a keyword for one radius)."""
    area = main_area(file)
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
        wrong = in_claim(cut, limits) & ~(np.isfinite(radius) & (radius > 0.0))
        if wrong.any():
            yield Finding(
                check="cut-in-direction-empty",
                hdu=cut.name,
                message=f"{wrong.sum()} bins have no radius in the claimed range",
                bins=bins_of(cut, wrong, radius),
            )


def _check_statistics(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    statistics = file.of_kind(STATISTICS)
    if statistics:
        yield from _check_showers(statistics[0], limits)
    else:
        yield Finding(
            check="statistics-unknown",
            hdu=main_area(file).name,
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
    unusable = tuple(check_claim(file, limits))
    if unusable:
        # Nothing else can be said of no bin.
        return unusable
    statistics = file.of_kind(STATISTICS)
    thrown = float(statistics[0].header["THROWNAR"]) if statistics else None
    findings = list(check_kinds(file, limits))
    findings += _check_area(main_area(file), limits, thrown)
    findings += _check_statistics(file, limits)
    findings += _check_cut(file, limits)
    for dispersion in file.of_kind("EDISP_2D"):
        findings += _check_dispersion(dispersion, limits)
    for psf in file.of_kind("PSF_TABLE", "PSF_3GAUSS"):
        findings += _check_psf(psf, limits)
    findings += check_background(file, limits)
    return tuple(findings)
