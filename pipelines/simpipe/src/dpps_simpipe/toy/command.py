"""``dpps-simpipe-toy``: write a toy hand-over."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dpps.domain.errors import DppsError
from dpps_simpipe.streams.quiet import library_output_on_stderr
from dpps_simpipe.toy.observation import LABEL

if TYPE_CHECKING:
    from dpps_simpipe.toy.handover import HandOver

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="dpps-simpipe-toy",
        description=(
            f"Write a {LABEL} observation of four LSTs as the telescopes' acquisition "
            "system hands it over: DL0 streams and trigger links. No physics."
        ),
    )
    parser.add_argument("--output", type=Path, required=True, help="hand-over folder")
    parser.add_argument("--events", type=int, default=20, help="number of showers")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same files")
    parser.add_argument("--scope", default="acada", help="scope of the logical file names")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _summary(hand_over: "HandOver") -> dict[str, object]:
    """Give the result in plain values."""
    return {
        "label": LABEL,
        "seed": hand_over.observation.seed,
        "sb_id": hand_over.observation.sb_id,
        "obs_id": hand_over.observation.obs_id,
        "events": hand_over.n_events,
        "files": [str(path) for path in hand_over.files],
        "bytes": sum(path.stat().st_size for path in hand_over.files),
        "triggers": [str(path) for path in hand_over.triggers],
        "truth": str(hand_over.truth),
    }


def _formatted(summary: dict[str, object], *, as_json: bool) -> str:
    """Give the result as text."""
    if as_json:
        return json.dumps(summary, indent=2) + "\n"
    lines: list[str] = []
    for key, value in summary.items():
        values = value if isinstance(value, list) else [value]
        lines.extend(f"{key}: {single}\n" for single in values)
    return "".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.

    Returns
    -------
    int
        0, or 1 after an error that is printed on standard error.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    from dpps_simpipe.toy.handover import make_hand_over

    try:
        with library_output_on_stderr():
            hand_over = make_hand_over(
                options.output, n_events=options.events, seed=options.seed, scope=options.scope
            )
    except (DppsError, OSError) as error:
        sys.stderr.write(f"dpps-simpipe-toy: {error}\n")
        return 1
    sys.stdout.write(_formatted(_summary(hand_over), as_json=options.json))
    return 0
