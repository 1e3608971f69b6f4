"""Effective area, resolutions and background rate with their statistical errors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.performance.events import Events

__all__ = ["CENTRAL_DEG", "MANY", "Curve", "background_rate", "effective_area", "resolution_curves"]

#: Samples of the bootstrap.
_SAMPLES = 200
#: Fewer events say nothing about a quantile.
_EVENTS_MIN = 10
#: Background is counted at reconstructed offsets below this.
CENTRAL_DEG = 1.0
#: Curves are made again for events with as many telescopes: the official selection asks for more than two.
MANY = 4

type Statistic = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A quantity in bins of energy; arrays of shape ``(n_bins,)``.

    Attributes
    ----------
    value, error : array
        Value and its statistical error (one standard deviation); NaN: too few events.
    events : array of int
        Events behind each.
    """

    value: FloatArray
    error: FloatArray
    events: NDArray[np.int64]


def effective_area(events: Events, passed: NDArray[np.bool_], edges_tev: FloatArray) -> Curve:
    """Give the effective area in m² in bins of true energy.

    Parameters
    ----------
    events : Events
        Gammas from one direction.
    passed : array of bool
        Which of them count.
    edges_tev : array
        Edges of the bins in TeV. Shape ``(n_bins + 1,)``.

    Returns
    -------
    Curve
        Thrown area times the part of the thrown showers that passed; error: binomial. NaN where the
        population does not fill the bin.
    """
    count = np.histogram(events.true_energy_tev[passed], edges_tev)[0]
    value, error = np.full(len(count), np.nan), np.full(len(count), np.nan)
    for index, (low, high) in enumerate(pairwise(edges_tev)):
        thrown = events.thrown.between(low, high)
        inside = events.thrown.energy_min_tev <= low * 1.005 and high <= events.thrown.energy_max_tev * 1.005
        if thrown > 0 and inside:
            part = count[index] / thrown
            value[index] = events.thrown.area_m2 * part
            error[index] = events.thrown.area_m2 * math.sqrt(max(part * (1.0 - part), 0.0) / thrown)
    return Curve(value=value, error=error, events=count)


def _bootstrapped(
    values: FloatArray, statistic: Statistic, random: Generator
) -> tuple[FloatArray, FloatArray]:
    """Give statistics of values and their errors (B. Efron, Ann. Statist. 7 (1979) 1)."""
    samples = [statistic(random.choice(values, len(values))) for _ in range(_SAMPLES)]
    return statistic(values), np.std(np.array(samples), axis=0, ddof=1)


def _containment(values: FloatArray) -> FloatArray:
    return np.array([np.quantile(values, 0.68)])


def _bias_and_width(values: FloatArray) -> FloatArray:
    below, middle, above = np.quantile(values, (0.16, 0.5, 0.84))
    return np.array([middle - 1.0, 0.5 * (above - below)])


def resolution_curves(
    events: Events, passed: NDArray[np.bool_], edges_tev: FloatArray, random: Generator
) -> dict[str, Curve]:
    """Give resolutions in bins of true energy.

    Parameters
    ----------
    events : Events
        Gammas.
    passed : array of bool
        Which of them count.
    edges_tev : array
        Edges in TeV. Shape ``(n_bins + 1,)``.
    random : Generator
        For the errors.

    Returns
    -------
    dict of str to Curve
        ``angular_resolution`` (degrees, radius that contains 68 %), ``energy_bias`` (median of reconstructed
        over true energy, less one), ``energy_resolution`` (half of its central 68 %).
    """
    bins = len(edges_tev) - 1
    place = np.searchsorted(edges_tev, events.true_energy_tev, side="right") - 1
    migration = events.energy_tev / events.true_energy_tev
    names = ("angular_resolution", "energy_bias", "energy_resolution")
    value, error = (np.full((len(names), bins), np.nan) for _ in range(2))
    count = np.zeros(bins, dtype=np.int64)
    for index in range(bins):
        chosen = passed & (place == index)
        count[index] = chosen.sum()
        if count[index] < _EVENTS_MIN:
            continue
        value[:1, index], error[:1, index] = _bootstrapped(events.error_deg[chosen], _containment, random)
        value[1:, index], error[1:, index] = _bootstrapped(migration[chosen], _bias_and_width, random)
    return {name: Curve(value=value[row], error=error[row], events=count) for row, name in enumerate(names)}


def background_rate(
    populations: Sequence[tuple[Events, NDArray[np.bool_], Any]], edges_tev: FloatArray
) -> Curve:
    """Give the rate of background per solid angle in bins of reconstructed energy.

    Parameters
    ----------
    populations : sequence of tuple
        Events, which of them pass, and their spectrum: called with an energy (astropy quantity) it gives a
        flux per energy, area, solid angle and time.
    edges_tev : array
        Edges in TeV. Shape ``(n_bins + 1,)``.

    Returns
    -------
    Curve
        Rate in s⁻¹ sr⁻¹ within `CENTRAL_DEG` of the centre; error: of the sum of weights. A bin without
        events has the rate 0 and no error: NaN.
    """
    from astropy import units as u

    solid_angle = 2.0 * math.pi * (1.0 - math.cos(math.radians(CENTRAL_DEG)))
    bins = len(edges_tev) - 1
    total, squares = np.zeros(bins), np.zeros(bins)
    count = np.zeros(bins, dtype=np.int64)
    for events, passed, spectrum in populations:
        chosen = passed & (events.offset_deg < CENTRAL_DEG)
        energy = events.true_energy_tev[chosen]
        flux = spectrum(energy * u.TeV).to_value("1 / (TeV m2 s sr)")
        thrown = events.thrown
        rate = flux * thrown.area_m2 * thrown.solid_angle_sr / thrown.density(energy)
        reconstructed = events.energy_tev[chosen]
        total += np.histogram(reconstructed, edges_tev, weights=rate)[0]
        squares += np.histogram(reconstructed, edges_tev, weights=rate**2)[0]
        count += np.histogram(reconstructed, edges_tev)[0]
    error = np.where(count > 0, np.sqrt(squares), np.nan)
    return Curve(value=total / solid_angle, error=error / solid_angle, events=count)
