"""``dpps-simpipe``: the commands of the simulation pipeline."""

import importlib
import json
import sys
from collections.abc import Sequence

from dpps.domain.errors import DppsError
from dpps.domain.steps import ConfigurationError, StepError, StepParser, step_exit_code

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


def _help() -> str:
    return "\n".join(
        [
            "usage: dpps-simpipe COMMAND [options]",
            "",
            "The simulation pipeline. COMMAND --help says more.",
            "",
            *(f"  {name:<20}{summary}" for name, (_, summary) in _COMMANDS.items()),
            "",
            "exit codes: 0 done, 100 try again later, 101 configuration, 102 storage,",
            "104 corrupted input, 105 missing input, 106 insufficient statistics, 1 other",
            "",
        ]
    )


def _run(name: str, arguments: Sequence[str]) -> str:
    """Run one command and give what is printed."""
    if name not in _COMMANDS:
        raise ConfigurationError(f"there is no command {name!r}", "dpps-simpipe --help lists them")
    module, summary = _COMMANDS[name]
    command = importlib.import_module(module)
    parser = StepParser(prog=f"dpps-simpipe {name}", description=summary)
    command.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    result: dict[str, object] = command.run(options)
    if options.json:
        return json.dumps(result, indent=2) + "\n"
    return "".join(f"{key}: {value}\n" for key, value in result.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.

    Returns
    -------
    int
        0, or the exit code of the error that is printed on standard error.
    """
    name, *rest = sys.argv[1:] if arguments is None else arguments or ["--help"]
    if name in {"-h", "--help"}:
        sys.stdout.write(_help())
        return 0
    try:
        sys.stdout.write(_run(name, rest))
    except DppsError as error:
        if "--json" in rest:
            sys.stdout.write(json.dumps(error.as_dict(), indent=2) + "\n")
        sys.stderr.write(f"dpps-simpipe {name}: {error}\n")
        if error.next_step and not isinstance(error, StepError):  # whose text has it
            sys.stderr.write(f"{error.next_step}\n")
        return step_exit_code(error)
    return 0
