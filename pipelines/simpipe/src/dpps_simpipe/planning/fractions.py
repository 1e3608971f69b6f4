"""The triggered fractions of a pilot, from its files of events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy import units as u
from astropy.table import QTable
from scipy.special import gammaincinv

from dpps.domain.steps import ConfigurationError, InsufficientStatistics
from dpps_simpipe.durable import put_in_place
from dpps_simpipe.planning.pilot import Pilot
from dpps_simpipe.planning.statistics import spectrum_fraction

__all__ = ["fractions_of_pilots", "write_fractions"]

_SHOWERS_MIN: Final = 5
"""Triggered showers without which a bin counts as one that triggers nothing: too few to plan with."""


def fractions_of_pilots(pilots: Sequence[Pilot], *, bins_per_decade: int, confidence: float) -> QTable:
    """Derive the triggered fraction of thrown events by true energy.

    A fraction that is too high plans too few showers, so the table has its lower limit: of `n` triggered
    showers the Poisson mean is at least ``chi2(1 - confidence, 2 n) / 2`` (F. Garwood, Biometrika 28 (1936)
    437). Thrown events of a bin are those that the spectrum expects.

    Parameters
    ----------
    pilots : sequence of Pilot
        Files of one pilot: of one primary, array, pointing and spectrum.
    bins_per_decade : int
        Bins of true energy.
    confidence : float
        Of the lower limit, one-sided.

    Returns
    -------
    astropy.table.QTable
        ``energy_min``, ``energy_max`` (TeV), ``fraction`` (the lower limit), ``measured``, ``triggered``
        (showers), ``thrown`` (expected events).

    Raises
    ------
    ConfigurationError
        The files are not of one pilot, or an option is out of its range.
    InsufficientStatistics
        No bin has enough triggered showers.
    """
    if not 0.5 <= confidence < 1.0 or not 1 <= bins_per_decade <= 50:
        raise ConfigurationError(
            "the confidence must be at least 0.5 and below 1, bins per decade 1 to 50", "correct the option"
        )
    first, *others = pilots
    for one in others:
        if _kind(one) != _kind(first):
            raise ConfigurationError(
                f"{one.path} is of another primary, array, pointing or spectrum than {first.path}",
                "give the files of one pilot",
            )
    whole = first.energy_min_tev, first.energy_max_tev
    number = max(1, round(math.log10(whole[1] / whole[0]) * bins_per_decade))
    edges = np.geomspace(*whole, number + 1)
    energies = [one.events.energy_tev for one in pilots]
    events = np.sum([np.histogram(one, edges)[0] for one in energies], axis=0)
    # Uses of one shower have its energy.
    showers = np.sum([np.histogram(np.unique(one), edges)[0] for one in energies], axis=0)
    if showers.max() < _SHOWERS_MIN:
        raise InsufficientStatistics(
            f"the pilot has at most {showers.max()} triggered {first.primary} showers in a bin of energy; "
            f"{_SHOWERS_MIN} are needed",
            "throw a larger pilot, or ask for wider bins (--bins-per-decade)",
            path=first.path,
        )
    thrown = sum(one.thrown for one in pilots) * np.array(
        [spectrum_fraction((low, high), whole, first.spectral_index) for low, high in _pairs(edges)]
    )
    measured = np.minimum(events / thrown, 1.0)
    enough = showers >= _SHOWERS_MIN
    counted = np.maximum(showers, 1)
    lower = np.where(enough, measured * gammaincinv(counted, 1.0 - confidence) / counted, 0.0)
    table = QTable(
        {
            "energy_min": edges[:-1] * u.TeV,
            "energy_max": edges[1:] * u.TeV,
            "fraction": lower,
            "measured": measured,
            "triggered": showers,
            "thrown": thrown,
        }
    )
    table.meta = {**_words(first), "confidence": confidence, "files": [one.path.name for one in pilots]}
    return table


def write_fractions(path: Path, table: QTable) -> None:
    """Write the table; it is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        table.write(part, format="ascii.ecsv", overwrite=True)
        put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def _words(pilot: Pilot) -> dict[str, Any]:
    return {
        "primary": pilot.primary,
        "array_name": pilot.array_name,
        "zenith_deg": pilot.zenith_deg,
        "azimuth_deg": pilot.azimuth_deg,
        "core_distance_max_m": pilot.core_distance_max_m,
        "view_cone_max_deg": pilot.view_cone_max_deg,
        "spectral_index": pilot.spectral_index,
    }


def _kind(pilot: Pilot) -> dict[str, Any]:
    return {**_words(pilot), "energy_tev": (pilot.energy_min_tev, pilot.energy_max_tev)}


def _pairs(edges: Any) -> list[tuple[float, float]]:
    return [(float(low), float(high)) for low, high in pairwise(edges)]
