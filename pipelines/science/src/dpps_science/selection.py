"""What of the event lists is used: region of the source, range of energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u

from dpps.domain.steps import ConfigurationError, InsufficientStatistics
from dpps_science.observations import EventList, Target

__all__ = ["Selection", "choose_selection"]

#: Part of the gammas that the region shall hold where no radius is given.
CONTAINMENT = 0.8
#: Energy at which it shall, in units of the lowest one.
_ABOVE_LEAST = 2.0
#: The region is never smaller than this, degrees: the place of a source is known to so much.
_LEAST_RADIUS_DEG = 0.07
#: Bins of reconstructed energy, and of true energy, per decade.
BINS_PER_DECADE = 10
TRUE_BINS_PER_DECADE = 20
#: Where a response claims no range: energies at which its area is this part of its greatest.
_AREA_FRACTION = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Region and energies of an analysis.

    Attributes
    ----------
    target : Target
        Centre of the region.
    radius_deg : float
        Of the region, degrees.
    radius_origin : str
        Who chose it.
    energy_min_tev, energy_max_tev : float
        Reconstructed energies of the fit, TeV.
    energy_origin : str
        Who chose them.
    true_min_tev, true_max_tev : float
        True energies that the responses reach, TeV.
    """

    target: Target
    radius_deg: float
    radius_origin: str
    energy_min_tev: float
    energy_max_tev: float
    energy_origin: str
    true_min_tev: float
    true_max_tev: float


def _true_range(lists: Sequence[EventList]) -> tuple[float, float]:
    """Return the energies that all effective areas reach."""
    edges = [one.observation.aeff.axes["energy_true"].edges.to_value(u.TeV) for one in lists]
    return float(max(edge[0] for edge in edges)), float(min(edge[-1] for edge in edges))


def _energies_of_area(one: EventList, target: Target) -> tuple[float, float]:
    """Find where the effective area is worth using, as Gammapy's method ``aeff-max`` does."""
    area = one.observation.aeff
    axis = area.axes["energy_true"]
    offset = one.pointing.separation(target.position)
    values = area.evaluate(energy_true=axis.center, offset=offset).to_value(u.m**2)
    used = np.flatnonzero(values >= _AREA_FRACTION * values.max())
    edges = axis.edges.to_value(u.TeV)
    return float(edges[used[0]]), float(edges[used[-1] + 1])


def _energies(
    lists: Sequence[EventList], target: Target, least: float | None, most: float | None
) -> tuple[float, float, str]:
    """Choose the energies of the fit: as given, else those that every response claims.

    Raises
    ------
    ConfigurationError
        When nothing is between the limits.
    """
    claimed = [one.claimed_tev for one in lists]
    if all(one is not None for one in claimed):
        ranges = [one for one in claimed if one is not None]
        origin = "claimed by the responses (LO_THRES, HI_THRES)"
    else:
        ranges = [_energies_of_area(one, target) for one in lists]
        origin = f"effective area above {_AREA_FRACTION:.0%} of its greatest"
    low, high = max(one[0] for one in ranges), min(one[1] for one in ranges)
    if least is not None or most is not None:
        origin = "given" if least is not None and most is not None else f"given; else {origin}"
    low, high = low if least is None else least, high if most is None else most
    if not 0.0 < low < high:
        raise ConfigurationError(
            f"no energy is between {low:g} and {high:g} TeV",
            "correct --energy-min and --energy-max, or analyse observations with similar responses together",
        )
    return low, high, origin


def _containment_radius(lists: Sequence[EventList], target: Target, energy_tev: float) -> float:
    """Return the radius that holds `CONTAINMENT` of the gammas in the worst of the observations, degrees."""
    radii: list[float] = []
    for one in lists:
        psf: Any = one.observation.psf
        radius = psf.containment_radius(
            CONTAINMENT,
            energy_true=energy_tev * u.TeV,
            offset=one.pointing.separation(target.position),
        )
        radii.append(float(np.squeeze(radius.to_value(u.deg))))
    return max(radii)


def _radius(
    lists: Sequence[EventList], target: Target, given: float | None, energy_tev: float
) -> tuple[float, str]:
    if given is not None:
        if not 0.0 < given < 5.0:
            raise ConfigurationError(
                f"a radius of {given:g} deg is no region", "give degrees with --on-radius"
            )
        return given, "given"
    if any(one.observation.psf is None for one in lists):
        rad_max = [one.observation.rad_max for one in lists]
        cuts = [one.quantity[0, 0].to_value(u.deg) for one in rad_max if one.is_fixed_rad_max]
        fixed = {float(np.squeeze(cut)) for cut in cuts} if len(cuts) == len(lists) else set()
        if len(fixed) != 1:
            raise ConfigurationError(
                "the responses are point-like with cuts in direction that differ",
                "make responses with one cut in direction, or full-enclosure ones",
                path=lists[0].path,
            )
        return fixed.pop(), "the cut in direction of the responses"
    radius = _containment_radius(lists, target, energy_tev)
    if not np.isfinite(radius):
        raise InsufficientStatistics(
            f"the point spread function is empty at {energy_tev:.3g} TeV",
            "give --on-radius, or a response with more statistics",
            path=lists[0].path,
        )
    if radius < _LEAST_RADIUS_DEG:
        return _LEAST_RADIUS_DEG, "the least that is used"
    return radius, f"holds {CONTAINMENT:.0%} of the gammas at {energy_tev:.3g} TeV"


def choose_selection(
    lists: Sequence[EventList],
    target: Target,
    *,
    radius_deg: float | None = None,
    energy_min_tev: float | None = None,
    energy_max_tev: float | None = None,
) -> Selection:
    """Choose region and energies; what is not given follows from the responses.

    The radius holds 80 % of the gammas at twice the lowest energy: most events are near there.

    Parameters
    ----------
    lists : sequence of EventList
        The observations.
    target : Target
        The source.
    radius_deg : float, optional
        Of the region, degrees.
    energy_min_tev, energy_max_tev : float, optional
        Limits of reconstructed energy, TeV.

    Raises
    ------
    ConfigurationError
        The limits leave nothing.
    InsufficientStatistics
        The responses do not say what is needed.
    """
    low, high, origin = _energies(lists, target, energy_min_tev, energy_max_tev)
    radius, radius_origin = _radius(lists, target, radius_deg, min(_ABOVE_LEAST * low, high))
    true_low, true_high = _true_range(lists)
    return Selection(
        target=target,
        radius_deg=radius,
        radius_origin=radius_origin,
        energy_min_tev=low,
        energy_max_tev=high,
        energy_origin=origin,
        true_min_tev=true_low,
        true_max_tev=true_high,
    )
