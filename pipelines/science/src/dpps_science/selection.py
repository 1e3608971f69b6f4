"""What of the event lists is used: region of the source, range of energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

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
#: Energies at which the cut in direction of a response is looked at.
_CUT_SAMPLES = 200
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
        Of the region, degrees; the largest where it varies with the energy.
    radius_origin : str
        Who chose it.
    radius_varies : bool
        The radius is the cut in direction of each response (``RAD_MAX``), event by event.
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
    radius_varies: bool
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Radius:
    """A radius, and who chose it."""

    degrees: float
    origin: str
    varies: bool = False


def _cuts(one: EventList, target: Target, low_tev: float, high_tev: float) -> NDArray[np.float64]:
    """Return the cut in direction of a response at energies of the fit, degrees.

    Raises
    ------
    InsufficientStatistics
        When it has none somewhere.
    """
    values = one.observation.rad_max.evaluate(
        method="nearest",
        energy=np.geomspace(low_tev, high_tev, _CUT_SAMPLES) * u.TeV,
        offset=one.pointing.separation(target.position),
    )
    cuts = np.ravel(np.asarray(values.to_value(u.deg), dtype=float))
    if not (np.isfinite(cuts) & (cuts > 0.0)).all():
        raise InsufficientStatistics(
            f"the cut in direction (RAD_MAX) is empty somewhere between {low_tev:.3g} and {high_tev:.3g} TeV",
            "take a smaller range of energy, or a response with more statistics",
            path=one.path,
        )
    return cuts


def _point_like_radius(
    lists: Sequence[EventList], target: Target, given: float | None, low_tev: float, high_tev: float
) -> _Radius:
    """Take the cut in direction that point-like responses hold after."""
    others = [one for one in lists if one.observation.psf is not None]
    point_like = next(one for one in lists if one.observation.psf is None)
    if others:
        raise ConfigurationError(
            f"its response is full-enclosure, that of {point_like.path} point-like",
            "analyse them one by one, or make the responses of one kind",
            path=others[0].path,
        )
    if given is not None:
        raise ConfigurationError(
            "its response is point-like: it holds within its own cut in direction only",
            "leave --on-radius out, or make a full-enclosure response",
            path=point_like.path,
        )
    cuts = np.concatenate([_cuts(one, target, low_tev, high_tev) for one in lists])
    least, largest = float(cuts.min()), float(cuts.max())
    if least == largest:
        return _Radius(degrees=largest, origin="the cut in direction of the responses")
    origin = f"the cut in direction of the responses, {least:.3g} to {largest:.3g} deg with the energy"
    return _Radius(degrees=largest, origin=origin, varies=True)


def _radius(
    lists: Sequence[EventList], target: Target, given: float | None, low_tev: float, high_tev: float
) -> _Radius:
    if given is not None and not 0.0 < given < 5.0:
        raise ConfigurationError(f"a radius of {given:g} deg is no region", "give degrees with --on-radius")
    if any(one.observation.psf is None for one in lists):
        return _point_like_radius(lists, target, given, low_tev, high_tev)
    if given is not None:
        return _Radius(degrees=given, origin="given")
    energy_tev = min(_ABOVE_LEAST * low_tev, high_tev)
    radius = _containment_radius(lists, target, energy_tev)
    if not np.isfinite(radius):
        raise InsufficientStatistics(
            f"the point spread function is empty at {energy_tev:.3g} TeV",
            "give --on-radius, or a response with more statistics",
            path=lists[0].path,
        )
    if radius < _LEAST_RADIUS_DEG:
        return _Radius(degrees=_LEAST_RADIUS_DEG, origin="the least that is used")
    return _Radius(degrees=radius, origin=f"holds {CONTAINMENT:.0%} of the gammas at {energy_tev:.3g} TeV")


def choose_selection(
    lists: Sequence[EventList],
    target: Target,
    *,
    radius_deg: float | None = None,
    energy_min_tev: float | None = None,
    energy_max_tev: float | None = None,
) -> Selection:
    """Choose region and energies; what is not given follows from the responses.

    The radius holds 80 % of the gammas at twice the lowest energy: most events are near there. Of point-like
    responses it is their cut in direction, which may vary with the energy.

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
    radius = _radius(lists, target, radius_deg, low, high)
    true_low, true_high = _true_range(lists)
    return Selection(
        target=target,
        radius_deg=radius.degrees,
        radius_origin=radius.origin,
        radius_varies=radius.varies,
        energy_min_tev=low,
        energy_max_tev=high,
        energy_origin=origin,
        true_min_tev=true_low,
        true_max_tev=true_high,
    )
