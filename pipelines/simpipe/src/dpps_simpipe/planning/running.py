"""Running one row of a table of runs on our simulator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from dpps.domain.steps import ConfigurationError
from dpps_simpipe.planning.jobs import Job, read_grid
from dpps_simpipe.planning.manifest import RunStatistics, make_manifest, write_manifest

__all__ = ["DARK_NIGHT", "FinishedRun", "run_description", "run_row"]

DARK_NIGHT: Final = 0.24
"""Night-sky background that the instrument model stands for, in photons per cm2, ns and sr (300 to 650 nm).

The default of simtools' ``nsb_reference_value``.
"""
_GEV_PER_TEV: Final = 1000.0
_SITES: Final[dict[str, Literal["North", "South"]]] = {"ctao-north": "North", "ctao-south": "South"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """What a run left."""

    events: Path
    manifest: Path
    showers: int
    triggered: int


def run_description(job: Job, *, seed: int, spectral_index: float) -> dict[str, Any]:
    """Return what our simulator shall do for a row.

    Raises
    ------
    ConfigurationError
        When our simulator cannot do it; names the column.
    """
    if not math.isclose(job.nsb_rate, DARK_NIGHT, rel_tol=1e-3):
        raise _impossible(job, "nsb_rate", f"the instrument model has the dark night only ({DARK_NIGHT:g})")
    if job.view_cone_min > 0:
        raise _impossible(job, "view_cone_min", "showers come from a whole cone")
    from dpps_simpipe.instrument import load_model, packaged_versions

    if job.model_version not in packaged_versions():
        known = ", ".join(packaged_versions())
        raise _impossible(job, "model_version", f"the versions of the instrument model are {known}")
    return {
        "dpps_simulation": 1,
        "run": job.run_number,
        "seed": seed,
        "primary": job.primary,
        "showers": job.showers_per_run,
        "energy_min_tev": job.energy_min / _GEV_PER_TEV,
        "energy_max_tev": job.energy_max / _GEV_PER_TEV,
        "spectral_index": spectral_index,
        "core_radius_m": job.core_scatter_max,
        "reuse": job.cores_per_shower,
        "view_cone_deg": job.view_cone_max,
        "altitude_deg": 90.0 - job.zenith_angle,
        "azimuth_deg": job.azimuth_angle,
        "array": job.array_layout_name.lower(),
        "model": job.model_version,
        "model_sha256": load_model(job.model_version).sha256,
    }


def run_row(
    job_grid: Path,
    row: int,
    output: Path,
    *,
    seed: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> FinishedRun:
    """Simulate one row of a table of runs; a second call goes on where the first one ended.

    The description of the run and the manifest lie beside the events, the manifest last.

    Parameters
    ----------
    job_grid : Path
        The table.
    row : int
        From 1.
    output : Path
        File of events (HDF5).
    seed : int
        Of the production: runs differ by their number.
    workers : int
        Processes.
    progress : callable, optional
        Told how many blocks are done, and of how many.

    Raises
    ------
    MissingInput, ConfigurationError
        When there is no such row, or our simulator cannot do it.
    """
    from dpps_simpipe.simulation.description import load_run
    from dpps_simpipe.simulation.production import produce

    grid = read_grid(job_grid)
    job = grid.job(row)
    description = output.with_name(f"{output.stem}.run.yaml")
    told = run_description(job, seed=seed, spectral_index=grid.spectral_index[job.primary])
    description.write_text(yaml.safe_dump(told, sort_keys=False))
    result = produce(
        description, output, workers=workers, progress=progress, used=[(job_grid, "table of runs")]
    )
    triggered = _triggered(output)
    manifest = output.with_name(f"{output.stem}.manifest.yml")
    write_manifest(
        manifest,
        make_manifest(
            job,
            production=grid.production or grid.path.stem,
            site=_site(job),
            statistics=RunStatistics(
                simulated_events=result.showers * job.cores_per_shower, triggered_events=triggered
            ),
            atmosphere={"name": Path(load_run(description).load_array().atmosphere).name},
            files={"events": [output.name], "run_description": [description.name]},
        ),
    )
    return FinishedRun(events=output, manifest=manifest, showers=result.showers, triggered=triggered)


def _triggered(events: Path) -> int:
    from tables import open_file

    with open_file(events) as file:
        return int(file.root.dl1.event.subarray.trigger.nrows)


def _site(job: Job) -> Literal["North", "South"]:
    for prefix, site in _SITES.items():
        if job.array_layout_name.lower().startswith(prefix):
            return site
    raise _impossible(job, "array_layout_name", "its name tells no site")


def _impossible(job: Job, column: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"run {job.run_number}: {column} is {getattr(job, column)!r}: {why}",
        "plan the run otherwise, or use the back end simtools",
    )
