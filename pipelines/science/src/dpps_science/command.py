"""``dpps-science``: from event lists to a spectrum, and how it compares with what was injected."""

import importlib
from collections.abc import Sequence

from dpps.domain.steps import StepProgram
from dpps_science import __version__

__all__ = ["main"]

#: Name to module and summary. A module has ``run(arguments) -> None``.
_COMMANDS = {
    "spectrum": ("dpps_science.spectrum_command", "event lists (DL3) to a fitted spectrum"),
    "compare": ("dpps_science.compare_command", "a spectrum with the one that was injected"),
}


_PROGRAM = StepProgram(
    name="dpps-science",
    version=__version__,
    about="Science analysis of event lists with Gammapy.",
    commands={"": {name: summary for name, (_, summary) in _COMMANDS.items()}},
)


def _run(name: str, arguments: Sequence[str]) -> None:
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
    return _PROGRAM.run(arguments, _run)
