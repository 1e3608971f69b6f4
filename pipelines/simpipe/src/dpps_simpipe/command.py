"""``dpps-simpipe``: the commands of the simulation pipeline."""

import importlib
import json
import sys
from collections.abc import Sequence

from dpps.domain.steps import StepParser, StepProgram
from dpps_simpipe import __version__

__all__ = ["main"]

#: Name to module and summary; a module has ``add_options(parser)``, and ``run(options)`` giving plain data.
_COMMANDS = {
    "simulate": ("dpps_simpipe.simulation.command", "simulate a run into a ctapipe HDF5 file"),
    "observe": ("dpps_simpipe.observation.command", "simulate a night into raw streams of an array"),
    "calibration-run": (
        "dpps_simpipe.calibration_runs.command",
        "simulate pedestals, flat fields, muons or a star field into raw streams",
    ),
    "compare": ("dpps_simpipe.compare.command", "compare with files of sim_telarray and CORSIKA"),
    "model": ("dpps_simpipe.commands.model", "versions of the instrument and site model"),
    "service-data": ("dpps_simpipe.commands.service_data", "describe arrays for readers of raw data"),
}


_PROGRAM = StepProgram(
    name="dpps-simpipe",
    version=__version__,
    about="The simulation pipeline.",
    commands={"": {name: summary for name, (_, summary) in _COMMANDS.items()}},
)


def _run(name: str, arguments: Sequence[str]) -> None:
    """Run one command and print what it gives."""
    module, summary = _COMMANDS[name]
    command = importlib.import_module(module)
    parser = StepParser(prog=f"dpps-simpipe {name}", description=summary)
    command.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    result: dict[str, object] = command.run(options)
    if options.json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{key}: {value}\n" for key, value in result.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.

    Returns
    -------
    int
        Exit code of the interface to workload management.
    """
    return _PROGRAM.run(arguments, _run)
