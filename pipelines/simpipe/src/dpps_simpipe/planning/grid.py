"""From a plan to runs: points, limits, numbers of showers, runs of bearable length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from dpps.domain.steps import ConfigurationError
from dpps_simpipe.planning.jobs import Job
from dpps_simpipe.planning.limits import Limits, find_limits, read_limits
from dpps_simpipe.planning.plan import Plan, Primary
from dpps_simpipe.planning.statistics import PilotFractions, Requirement, read_pilot, required_showers

__all__ = ["GridPoint", "jobs_of", "points_of", "spectral_indices"]

_GEV_PER_TEV = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """One primary at one pointing, and what is thrown there.

    Energies in TeV, angles in degrees, lengths in m.
    """

    primary: str
    zenith_deg: float
    azimuth_deg: float
    nsb_rate: float
    energy_tev: tuple[float, float]
    spectral_index: float
    cores_per_shower: int
    core_scatter_max_m: float
    view_cone_deg: tuple[float, float]
    showers_per_run: int
    requirement: Requirement

    @property
    def runs(self) -> int:
        """Number of runs."""
        return math.ceil(self.requirement.showers / self.showers_per_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Thrown:
    energy_tev: tuple[float, float]
    core_scatter_max_m: float
    view_cone_deg: tuple[float, float]


def points_of(plan: Plan) -> list[GridPoint]:
    """Return the points of a plan, in a fixed order.

    Raises
    ------
    ConfigurationError, InsufficientStatistics
        When a table is wrong or lacks a point, limits leave nothing to throw, or the pilot cannot bear what
        is asked.
    """
    limits = None if plan.limits is None else read_limits(plan.limits)
    pilots: dict[Path, PilotFractions] = {}
    return [
        _point(plan, primary, zenith, azimuth, nsb, limits, _pilot(primary, pilots))
        for primary, zenith, azimuth, nsb in product(
            plan.primaries, plan.pointings.zenith_deg, plan.pointings.azimuth_deg, plan.pointings.nsb_rate
        )
    ]


def jobs_of(plan: Plan, points: Sequence[GridPoint]) -> Iterator[Job]:
    """Yield the runs; run numbers rise through the whole production, so that none is used twice."""
    run = plan.first_run
    for point in points:
        left = point.requirement.showers
        while left > 0:
            yield _job(plan, point, run, min(left, point.showers_per_run))
            left -= point.showers_per_run
            run += 1


def spectral_indices(plan: Plan) -> dict[str, float]:
    """Return the index of each primary's thrown spectrum."""
    return {one.primary: one.spectral_index for one in plan.primaries}


def _pilot(primary: Primary, known: dict[Path, PilotFractions]) -> PilotFractions | None:
    path = primary.statistics.pilot
    if path is None:
        return None
    if path not in known:
        known[path] = read_pilot(path)
    return known[path]


def _point(
    plan: Plan,
    primary: Primary,
    zenith_deg: float,
    azimuth_deg: float,
    nsb_rate: float,
    limits: Sequence[Limits] | None,
    pilot: PilotFractions | None,
) -> GridPoint:
    thrown = _thrown(plan, primary, zenith_deg)
    if limits is not None:
        limit = find_limits(
            limits, primary.primary, plan.array_layout_name, zenith_deg, azimuth_deg, nsb_rate
        )
        thrown = _narrowed(thrown, limit)
    requirement = required_showers(
        primary.statistics, thrown.energy_tev, primary.spectral_index, primary.cores_per_shower, pilot
    )
    given = primary.statistics.relative_error is None
    # An error that is asked for holds at every point.
    factor = math.cos(math.radians(zenith_deg)) ** plan.scaling.showers if given else 1.0
    return GridPoint(
        primary=primary.primary,
        zenith_deg=zenith_deg,
        azimuth_deg=azimuth_deg,
        nsb_rate=nsb_rate,
        energy_tev=thrown.energy_tev,
        spectral_index=primary.spectral_index,
        cores_per_shower=primary.cores_per_shower,
        core_scatter_max_m=thrown.core_scatter_max_m,
        view_cone_deg=thrown.view_cone_deg,
        showers_per_run=primary.showers_per_run,
        requirement=Requirement(
            showers=math.ceil(requirement.showers * factor),
            deciding_bin_tev=requirement.deciding_bin_tev,
            triggered=requirement.triggered * factor,
        ),
    )


def _thrown(plan: Plan, primary: Primary, zenith_deg: float) -> _Thrown:
    cosine = math.cos(math.radians(zenith_deg))
    low, high = primary.energy_tev
    return _Thrown(
        energy_tev=(low * cosine**plan.scaling.energy_min, high * cosine**plan.scaling.energy_max),
        core_scatter_max_m=primary.core_scatter_max_m * cosine**plan.scaling.core_scatter,
        view_cone_deg=primary.view_cone_deg,
    )


def _narrowed(thrown: _Thrown, limit: Limits) -> _Thrown:
    low, high = thrown.energy_tev
    energy = (max(low, limit.energy_min_tev), high)
    if energy[0] >= energy[1]:
        raise ConfigurationError(
            f"limits leave nothing to throw: {limit.primary} at zenith {limit.zenith_deg:g} deg triggers "
            f"above {limit.energy_min_tev:.3g} TeV, and {high:.3g} TeV is the most that is asked for",
            "raise energy_tev, or leave the point out",
        )
    cone_low, cone_high = thrown.view_cone_deg
    return _Thrown(
        energy_tev=energy,
        core_scatter_max_m=min(thrown.core_scatter_max_m, limit.core_distance_max_m),
        # A point source stays one.
        view_cone_deg=(cone_low, max(cone_low, min(cone_high, limit.view_cone_max_deg))),
    )


def _job(plan: Plan, point: GridPoint, run: int, showers: int) -> Job:
    return Job(
        run_number=run,
        primary=point.primary,
        azimuth_angle=point.azimuth_deg,
        zenith_angle=point.zenith_deg,
        energy_min=point.energy_tev[0] * _GEV_PER_TEV,
        energy_max=point.energy_tev[1] * _GEV_PER_TEV,
        cores_per_shower=point.cores_per_shower,
        core_scatter_max=point.core_scatter_max_m,
        view_cone_min=point.view_cone_deg[0],
        view_cone_max=point.view_cone_deg[1],
        showers_per_run=showers,
        nsb_rate=point.nsb_rate,
        model_version=plan.model_version,
        array_layout_name=plan.array_layout_name,
        corsika_le_interaction=plan.corsika_le_interaction,
        corsika_he_interaction=plan.corsika_he_interaction,
    )
