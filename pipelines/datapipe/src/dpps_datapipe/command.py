"""``dpps-datapipe``: the steps of the data processing pipeline."""

import importlib
from collections.abc import Sequence

from dpps.domain.steps import StepProgram
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


def _run(name: str, arguments: Sequence[str]) -> None:
    if name in STEPS:
        from dpps_datapipe.steps.run import run_step

        run_step(STEPS[name], arguments)
    else:
        importlib.import_module(_COMMANDS[name][0]).run(arguments)


_PROGRAM = StepProgram(
    name="dpps-datapipe",
    version=__version__,
    about="The steps of the data processing pipeline.",
    commands={
        "ctapipe's tools, between checks of what goes in and comes out": {
            name: step.summary for name, step in STEPS.items()
        },
        "of this package": {name: summary for name, (_, summary) in _COMMANDS.items()},
    },
)


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
    return _PROGRAM.run(arguments, _run)
