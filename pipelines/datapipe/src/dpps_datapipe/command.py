"""``dpps-datapipe``: the steps of the data processing pipeline."""

import importlib
import json
import sys
from collections.abc import Sequence

from dpps.domain.steps import StepError
from dpps_datapipe import __version__
from dpps_datapipe.steps.table import STEPS

__all__ = ["main"]

#: Commands of our own: name to module and summary. A module has ``run(arguments) -> None``.
_COMMANDS = {
    "process-files": ("dpps_datapipe.process_files", "many event files in one process"),
    "join-telescopes": ("dpps_datapipe.join", "telescopes and chunks of an observation block into one file"),
    "check-irf": ("dpps_datapipe.irf.command", "refuse a response that its statistics do not bear"),
    "compare-irf": ("dpps_datapipe.irf.comparison", "curves of a response beside the official prod5 ones"),
    "make-dl3": ("dpps_datapipe.dl3.command", "event list with responses, for science tools"),
    "index-dl3": ("dpps_datapipe.dl3.index_command", "observation and HDU index of DL3 files"),
}


def _help() -> str:
    lines = [
        "usage: dpps-datapipe COMMAND [options]",
        "",
        "The steps of the data processing pipeline. COMMAND --help says more.",
        "",
        "ctapipe's tools, between checks of what goes in and comes out:",
        *(f"  {name:<26}{step.summary}" for name, step in STEPS.items()),
        "",
        "of this package:",
        *(f"  {name:<26}{summary}" for name, (_, summary) in _COMMANDS.items()),
        "",
        "exit codes: 0 done, 100 try again later, 101 configuration, 102 storage,",
        "104 corrupted input, 105 missing input, 106 insufficient statistics, 1 other",
    ]
    return "\n".join(lines) + "\n"


def _run(name: str, arguments: Sequence[str]) -> None:
    if name in STEPS:
        from dpps_datapipe.steps.run import run_step

        run_step(STEPS[name], arguments)
    else:
        importlib.import_module(_COMMANDS[name][0]).run(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.

    Returns
    -------
    int
        Exit code of the interface to workload management.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help"}:
        sys.stdout.write(_help())
        return 0
    if words[0] == "--version":
        sys.stdout.write(f"dpps-datapipe {__version__}\n")
        return 0
    name, *rest = words
    if name not in STEPS and name not in _COMMANDS:
        sys.stderr.write(f"ERROR: no command {name!r}; dpps-datapipe --help lists them\n")
        return 101
    try:
        _run(name, rest)
    except StepError as error:
        if "--json" in rest:
            sys.stderr.write(json.dumps(error.as_dict()) + "\n")
        else:
            sys.stderr.write(f"ERROR: dpps-datapipe {name}: {error}\n")
        return error.exit_code
    return 0
