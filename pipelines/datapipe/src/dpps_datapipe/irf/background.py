"""Decide whether the simulated background bears that of a response. Pure functions."""

from collections.abc import Iterator

import numpy as np

from dpps_datapipe.irf.claims import Mask, bins_of, energies_in_claim, in_claim
from dpps_datapipe.irf.findings import Bin, Finding, Limits
from dpps_datapipe.irf.reading import BACKGROUND_STATISTICS, STATISTICS, Floats, Response, ResponseFile

__all__ = ["check_background"]


def check_background(file: ResponseFile, limits: Limits) -> Iterator[Finding]:
    """Check the background of a response.

    Parameters
    ----------
    file : ResponseFile
        The response.
    limits : Limits
        Its claim, see `dpps_datapipe.irf.claims.claimed`.

    Yields
    ------
    Finding
        Bins without background refuse a response that claims to know it; those
        with fewer background showers than gammas need are told.
    """
    for background in file.of_kind("BKG_2D", "BKG_3D"):
        rate = background.values["BKG"]
        unusable = ~np.isfinite(rate) | (rate < 0.0)
        if unusable.any():
            yield Finding(
                check="background-not-a-number",
                hdu=background.name,
                message=f"{unusable.sum()} bins are negative or not finite",
            )
        if limits.claims_background:
            yield from _check_empty(background, rate, limits)
            yield from _check_showers(file, background, limits)
        else:
            yield _not_claimed(file, background)


def _check_empty(background: Response, rate: Floats, limits: Limits) -> Iterator[Finding]:
    bins = _empty_bins(background, rate, limits)
    if bins:
        yield Finding(
            check="background-empty",
            hdu=background.name,
            message=f"{len(bins)} bins have no background in the claimed range: too few background showers",
            bins=bins,
        )


def _empty_bins(background: Response, rate: Floats, limits: Limits) -> tuple[Bin, ...]:
    if background.kind == "BKG_2D":
        return bins_of(background, in_claim(background, limits) & (rate == 0.0))
    # Two angles and energy: empty is an energy without background within the claimed offset.
    energy = background.energy
    if rate.shape[-1] != len(energy.low):
        # Writers differ in whether the energy comes first.
        rate = np.moveaxis(rate, 0, -1)
    within = _directions_in_claim(background, limits)
    empty = energies_in_claim(background, limits) & ~(rate[within] > 0.0).any(axis=0)
    return tuple(
        Bin(energy_min_tev=float(energy.low[index]), energy_max_tev=float(energy.high[index]))
        for index in np.flatnonzero(empty)
    )


def _directions_in_claim(background: Response, limits: Limits) -> Mask:
    """Find the directions in the field of view within the claimed offset: shape ``(n_dety, n_detx)``."""
    x, y = ((background.axes[name].low + background.axes[name].high) / 2.0 for name in ("DETX", "DETY"))
    reach = np.inf if limits.offset_max_deg is None else limits.offset_max_deg
    return np.asarray(np.hypot(x[np.newaxis, :], y[:, np.newaxis]) <= reach)


def _check_showers(file: ResponseFile, background: Response, limits: Limits) -> Iterator[Finding]:
    counted = file.of_kind(BACKGROUND_STATISTICS)
    for statistics in counted:
        showers = statistics.values["N_SHOWERS"]
        few = in_claim(statistics, limits) & (showers > 0.0) & (showers < limits.min_showers)
        if few.any():
            yield Finding(
                check="few-background-showers",
                hdu=statistics.name,
                message=f"{few.sum()} bins rest on fewer than {limits.min_showers} background showers",
                bins=bins_of(statistics, few, showers),
                refuses=False,
            )
    if not counted and file.of_kind(STATISTICS):
        yield Finding(
            check="background-statistics-unknown",
            hdu=background.name,
            message="the file does not say how many showers its background rests on",
            refuses=limits.needs_statistics,
        )


def _not_claimed(file: ResponseFile, background: Response) -> Finding:
    counted = file.of_kind(BACKGROUND_STATISTICS)
    showers = f": it rests on {counted[0].values['N_SHOWERS'].sum():.0f} showers" if counted else ""
    return Finding(
        check="background-not-claimed",
        hdu=background.name,
        message=f"the response does not claim its background{showers}; take it from beside the source",
        refuses=False,
    )
