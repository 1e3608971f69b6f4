"""``dpps-science``: from event lists to a spectrum, and how it compares with what was injected."""

import importlib
import json
import sys
from collections.abc import Sequence

from dpps.domain.errors import DppsError
from dpps.domain.steps import step_exit_code
from dpps_science import __version__

__all__ = ["main"]

#: Name to module and summary. A module has ``run(arguments) -> None``.
_COMMANDS = {
    "spectrum": ("dpps_science.spectrum_command", "event lists (DL3) to a fitted spectrum"),
    "compare": ("dpps_science.compare_command", "a spectrum with the one that was injected"),
}


def _help() -> str:
    lines = [
        "usage: dpps-science COMMAND [options]",
        "",
        "Science analysis of event lists with Gammapy. COMMAND --help says more.",
        "",
        *(f"  {name:<12}{summary}" for name, (_, summary) in _COMMANDS.items()),
        "",
        "exit codes: 0 done, 101 configuration, 102 storage, 104 corrupted input,",
        "105 missing input, 106 insufficient statistics, 1 other",
    ]
    return "\n".join(lines) + "\n"


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
        sys.stdout.write(f"dpps-science {__version__}\n")
        return 0
    name, *rest = words
    if name not in _COMMANDS:
        sys.stderr.write(f"ERROR: no command {name!r}; dpps-science --help lists them\n")
        return 101
    try:
        importlib.import_module(_COMMANDS[name][0]).run(rest)
    except DppsError as error:
        if "--json" in rest:
            sys.stderr.write(json.dumps(error.as_dict()) + "\n")
        else:
            sys.stderr.write(f"ERROR: dpps-science {name}: {error}\n")
        return step_exit_code(error)
    return 0
