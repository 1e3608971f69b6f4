"""What a production costs, estimated from the cost of one shower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dpps_simpipe.planning.grid import GridPoint
from dpps_simpipe.planning.plan import Cost
from dpps_simpipe.planning.power_law import power_law_integral

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Processor time and disk of some points."""

    core_hours: float
    longest_run_hours: float
    bytes: float
    """NaN when no pilot tells how much triggers."""


def estimate(points: Sequence[GridPoint], cost: Cost) -> Estimate:
    """Return what the points cost.

    The time of one shower is taken as a power of its energy; its mean over the thrown spectrum is exact.
    """
    seconds, longest, size = 0.0, 0.0, 0.0
    for point in points:
        mean = cost.seconds_per_shower_at_1_tev * _mean_power(
            point.energy_tev, point.spectral_index, cost.energy_exponent
        )
        seconds += mean * point.requirement.showers + cost.seconds_per_run * point.runs
        longest = max(longest, mean * point.showers_per_run + cost.seconds_per_run)
        size += point.requirement.triggered * cost.bytes_per_triggered_event
    return Estimate(core_hours=seconds / 3600, longest_run_hours=longest / 3600, bytes=size)


def _mean_power(energy_tev: tuple[float, float], index: float, exponent: float) -> float:
    """Return the mean of E^exponent (E in TeV) over dN/dE ~ E^index."""
    return power_law_integral(energy_tev, index + exponent) / power_law_integral(energy_tev, index)
