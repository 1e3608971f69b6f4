"""Power laws of energy."""

from __future__ import annotations

import math

__all__ = ["power_law_integral"]


def power_law_integral(energy_tev: tuple[float, float], index: float) -> float:
    """Return the integral of E^index over a range of energy in TeV."""
    low, high = energy_tev
    if math.isclose(index, -1.0):
        return math.log(high / low)
    power = index + 1.0
    return float((high**power - low**power) / power)
