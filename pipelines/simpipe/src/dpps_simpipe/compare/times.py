"""Relative trigger times of the telescopes of an event, real against ours.

sim_telarray gives trigger times with the delay of a plane wave from the pointing taken out, and so do ours:
what is left is the curvature of the light front, its tilt against the pointing, and the telescopes' own
jitter. Only differences within one telescope type are compared: transit times of the types are not the same
in the two simulations.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["TriggerTime", "compare_times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerTime:
    """Trigger time of a telescope against those of the others of its type, in ns; NaN: not comparable.

    Parameters
    ----------
    real : float
        Of the real event: time less the mean of its type.
    deviation : float
        Real less ours, both less the means over the telescopes that are in both events; mean over ours.
    spread : float
        Standard deviation of that over our showers.
    """

    real: float = math.nan
    deviation: float = math.nan
    spread: float = math.nan


def compare_times(real: Mapping[int, float], ours: Sequence[Mapping[int, float]]) -> dict[int, TriggerTime]:
    """Compare the trigger times of telescopes of one type.

    Parameters
    ----------
    real : mapping of int to float
        Time in ns by triggered telescope.
    ours : sequence of mapping
        The same for each of our showers.

    Returns
    -------
    dict
        By telescope; those that had no other of their type beside them in three of our events are left out.
    """
    if not real:
        return {}
    middle = float(np.mean(list(real.values())))
    differences: dict[int, list[float]] = {tel_id: [] for tel_id in real}
    for times in ours:
        common = sorted(real.keys() & times.keys())
        if len(common) < 2:
            continue
        difference = np.array([real[tel_id] - times[tel_id] for tel_id in common])
        for tel_id, value in zip(common, difference - difference.mean(), strict=True):
            differences[tel_id].append(float(value))
    return {
        tel_id: TriggerTime(
            real=real[tel_id] - middle, deviation=float(np.mean(values)), spread=float(np.std(values, ddof=1))
        )
        for tel_id, values in differences.items()
        if len(values) >= 3
    }
