"""The table of runs: every row is one run of the simulation.

The format is simtools' job grid (``job_grid_density.schema.yml`` 0.4.0, ECSV): `simtools-simulate-prod` takes
it with ``--job_grid_file`` and ``--job_grid_row``, and so does `dpps-simpipe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy import units as u
from astropy.table import QTable

from dpps.domain.steps import ConfigurationError, MissingInput

__all__ = ["DEFAULT_INDEX", "FORMAT_VERSION", "Job", "JobGrid", "read_grid", "write_jobs"]

FORMAT_VERSION: Final = "0.4.0"
DEFAULT_INDEX: Final = -2.0
"""Spectral index of simtools' productions."""
_SCHEMA: Final = "job_grid_density.schema.yml"
_UNITS: Final[dict[str, u.UnitBase]] = {
    "azimuth_angle": u.deg,
    "zenith_angle": u.deg,
    "energy_min": u.GeV,
    "energy_max": u.GeV,
    "core_scatter_max": u.m,
    "view_cone_min": u.deg,
    "view_cone_max": u.deg,
    "nsb_rate": 1 / (u.cm**2 * u.ns * u.sr),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run. Angles in degrees, energies in GeV, lengths in m, background in photons per cm2, ns and sr."""

    run_number: int
    primary: str
    azimuth_angle: float
    zenith_angle: float
    energy_min: float
    energy_max: float
    cores_per_shower: int
    core_scatter_max: float
    view_cone_min: float
    view_cone_max: float
    showers_per_run: int
    nsb_rate: float
    model_version: str
    array_layout_name: str
    corsika_le_interaction: str
    corsika_he_interaction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGrid:
    """A table of runs."""

    path: Path
    jobs: tuple[Job, ...]
    production: str
    """Name of the production; empty where the table says nothing, as those of simtools."""
    spectral_index: Mapping[str, float]
    """Of the thrown spectra by primary; `DEFAULT_INDEX` where the table says nothing."""

    def job(self, row: int) -> Job:
        """Return one run, counted from 1 as simtools does.

        Raises
        ------
        ConfigurationError
            When there is no such row.
        """
        if not 1 <= row <= len(self.jobs):
            raise ConfigurationError(
                f"{self.path} has rows 1 to {len(self.jobs)}, not {row}", "give another row"
            )
        return self.jobs[row - 1]


def write_jobs(
    path: Path,
    jobs: Sequence[Job],
    *,
    production: str = "",
    spectral_index: Mapping[str, float] | None = None,
) -> None:
    """Write the table of runs (ECSV); it is there as a whole or not at all.

    Parameters
    ----------
    path : Path
        The table.
    jobs : sequence of Job
        At least one.
    production : str
        Name of the production.
    spectral_index : mapping, optional
        Of the thrown spectra by primary.

    Raises
    ------
    ConfigurationError
        When there is no run: an empty table is no product.
    """
    if not jobs:
        raise ConfigurationError("the plan makes no run", "give at least one primary and one point")
    table = QTable()
    for field in fields(Job):
        values = [getattr(job, field.name) for job in jobs]
        unit = _UNITS.get(field.name)
        table[field.name] = np.asarray(values) if unit is None else np.asarray(values, dtype=float) * unit
    table.meta = {
        "cta": {
            "product": {
                "data": {"model": {"name": "production_generate_grid_density", "version": FORMAT_VERSION}}
            }
        },
        "job_grid_format_version": FORMAT_VERSION,
        "job_grid_summary": {
            "simulation_rows": len(jobs),
            "total_showers": sum(job.showers_per_run for job in jobs),
        },
        "production": production,
        "spectral_index": dict(spectral_index or {}),
    }
    part = path.with_name(f".{path.name}.part")
    try:
        table.write(part, format="ascii.ecsv", overwrite=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_grid(path: Path) -> JobGrid:
    """Read a table of runs, of ours or of simtools.

    Raises
    ------
    MissingInput
        When there is no such file.
    ConfigurationError
        When it is no such table; names the column.
    """
    if not path.is_file():
        raise MissingInput(f"there is no job grid {path}", "check the path")
    try:
        table = QTable.read(path, format="ascii.ecsv")
    except (OSError, ValueError, TypeError) as wrong:
        raise ConfigurationError(
            f"{path} is no job grid: {wrong}", "make one with: dpps-simpipe-plan make"
        ) from wrong
    missing = [field.name for field in fields(Job) if field.name not in table.colnames]
    if missing or not len(table):
        raise ConfigurationError(
            f"{path} is no job grid: " + (f"it lacks {', '.join(missing)}" if missing else "it has no rows"),
            f"compare it with simtools' {_SCHEMA} {FORMAT_VERSION}",
        )
    try:
        columns = {field.name: _column(table, field.name, field.type == "int") for field in fields(Job)}
    except (u.UnitConversionError, TypeError, ValueError) as wrong:
        raise ConfigurationError(
            f"{path}: {wrong}", f"compare it with simtools' {_SCHEMA} {FORMAT_VERSION}"
        ) from wrong
    jobs = tuple(Job(**{name: values[row] for name, values in columns.items()}) for row in range(len(table)))
    told = table.meta.get("spectral_index")
    return JobGrid(
        path=path,
        jobs=jobs,
        production=str(table.meta.get("production") or ""),
        spectral_index={
            **{job.primary: DEFAULT_INDEX for job in jobs},
            **(
                {str(name): float(value) for name, value in told.items()} if isinstance(told, Mapping) else {}
            ),
        },
    )


def _column(table: QTable, name: str, integer: bool) -> list[Any]:
    values = table[name]
    unit = _UNITS.get(name)
    if unit is not None:
        if getattr(values, "unit", None) is None:
            raise ValueError(f"the column {name} has no unit; {unit} is expected")
        return [float(value) for value in np.atleast_1d(values.to_value(unit))]
    return [int(value) if integer else str(value) for value in values]
