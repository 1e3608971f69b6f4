"""``dpps-science compare``: a spectrum with the one that was injected into a simulated observation."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpps.domain.steps import StepParser

__all__ = ["compare_with_injected", "run"]


def _parser() -> StepParser:
    parser = StepParser(
        prog="dpps-science compare",
        description=(
            "Compare a fitted spectrum with the injected one: pulls (difference over error) of its "
            "parameters."
        ),
    )
    add = parser.add_argument
    add("spectrum", type=Path, help="of dpps-science spectrum (ECSV)")
    add("--injected", type=Path, required=True, help="description of the night (YAML, dpps_observation)")
    add("--output", type=Path, help="the comparison (JSON)")
    add("--plot", type=Path, help="picture (PNG, PDF, SVG)")
    add("--json", action="store_true", help="print the comparison as JSON")
    return parser


def compare_with_injected(options: Namespace) -> dict[str, Any]:
    """Compare, draw, write.

    Parameters
    ----------
    options : argparse.Namespace
        As the command line has them.

    Returns
    -------
    dict
        Parameters with fitted and injected values, errors and pulls.

    Raises
    ------
    StepError
        With the exit code of the interface.
    """
    from dpps_science.files import write_whole
    from dpps_science.injected import compare, draw_comparison, read_injected
    from dpps_science.product import read_spectrum

    spectrum, injected = read_spectrum(options.spectrum), read_injected(options.injected)
    result = compare(spectrum, injected)
    if options.plot is not None:
        draw_comparison(spectrum, injected, result, options.plot)
    if options.output is not None:
        write_whole(options.output, (json.dumps(result, indent=2) + "\n").encode())
    return result


def run(arguments: Sequence[str]) -> None:
    """Compare as a command line says."""
    options = _parser().parse_args(arguments)
    result = compare_with_injected(options)
    if options.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for one in result["parameters"]:
        sys.stdout.write(
            f"{one['name']:<10} fitted {one['fitted']:.3g} +- {one['error']:.2g}  injected "
            f"{one['injected']:.3g}  pull {one['pull']:+.2f}\n"
        )
