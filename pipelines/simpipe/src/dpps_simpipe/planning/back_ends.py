"""What runs a row of the table of runs: our simulator, or CORSIKA and sim_telarray through simtools."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from dpps.domain.steps import ConfigurationError, MissingInput
from dpps_simpipe.planning.jobs import DEFAULT_INDEX, read_grid

__all__ = ["BACK_ENDS", "BackEnd", "FastSimulator", "Simtools", "Task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row of a table of runs, and where its files go."""

    job_grid: Path
    row: int
    """From 1."""
    output: Path
    seed: int = 1
    options: Mapping[str, str] | None = None
    """Further options of the back end, without leading dashes."""


class BackEnd(Protocol):
    """A simulation program that takes tables of runs."""

    name: str

    def missing(self) -> Sequence[str]:
        """Return what this machine lacks to run it, in words; empty when nothing."""
        ...

    def command(self, task: Task) -> Sequence[str]:
        """Return the command that simulates one row.

        Raises
        ------
        MissingInput, ConfigurationError
            When the table has no such row, or the machine lacks what the back end needs.
        """
        ...


class FastSimulator:
    """Our own simulator."""

    name = "dpps-simpipe"

    def missing(self) -> Sequence[str]:
        """Return nothing: it is part of this package."""
        return ()

    def command(self, task: Task) -> Sequence[str]:
        """Return the command that simulates one row."""
        read_grid(task.job_grid).job(task.row)
        return [
            "dpps-simpipe-plan",
            "run",
            str(task.job_grid),
            str(task.row),
            f"--output={task.output / f'run_{task.row:06d}.h5'}",
            f"--seed={task.seed}",
            *_options(task),
        ]


class Simtools:
    """CORSIKA and sim_telarray, driven by ``simtools-simulate-prod``.

    Neither program may be handed on: whoever has a licence installs them, and says where in the variables
    that simtools reads.
    """

    name = "simtools"
    _VARIABLES: Final = ("SIMTOOLS_CORSIKA_PATH", "SIMTOOLS_SIM_TELARRAY_PATH")

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def missing(self) -> Sequence[str]:
        """Return which of the three programs are not there."""
        lacking = []
        if shutil.which("simtools-simulate-prod", path=self._environment.get("PATH", "")) is None:
            lacking.append("the program simtools-simulate-prod (PyPI: gammasimtools, Python 3.14 or newer)")
        for variable in self._VARIABLES:
            folder = self._environment.get(variable)
            if not folder:
                lacking.append(f"the variable {variable}, which names the folder of the program")
            elif not Path(folder).is_dir():
                lacking.append(f"the folder {folder} that {variable} names")
        return lacking

    def command(self, task: Task) -> Sequence[str]:
        """Return the command that simulates one row."""
        grid = read_grid(task.job_grid)
        primary = grid.job(task.row).primary
        if grid.spectral_index[primary] != DEFAULT_INDEX:
            raise ConfigurationError(
                f"{task.job_grid}: the spectral index {grid.spectral_index[primary]:g} of {primary} has no "
                "place in a job grid of simtools",
                f"plan with spectral_index: {DEFAULT_INDEX:g}, or use the back end dpps-simpipe",
            )
        if lacking := self.missing():
            raise MissingInput(
                f"simtools cannot run here; missing: {'; '.join(lacking)}",
                "install what is missing, or use the back end dpps-simpipe",
            )
        return [
            "simtools-simulate-prod",
            f"--job_grid_file={task.job_grid}",
            f"--job_grid_row={task.row}",
            f"--grid_output_path={task.output}",
            "--corsika_seeds",
            *(str(task.seed + number) for number in range(4)),
            *_options(task),
        ]


def _options(task: Task) -> list[str]:
    options = task.options or {}
    for name in options:
        if not name.replace("_", "").replace("-", "").isalnum() or name.startswith("-"):
            raise ConfigurationError(f"{name!r} is no name of an option", "write it without leading dashes")
    return [f"--{name}={value}" for name, value in options.items()]


BACK_ENDS: Final[Mapping[str, type[FastSimulator] | type[Simtools]]] = {
    FastSimulator.name: FastSimulator,
    Simtools.name: Simtools,
}
