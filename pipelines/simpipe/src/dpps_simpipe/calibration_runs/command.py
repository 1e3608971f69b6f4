"""``dpps-simpipe calibration-run``."""

import argparse
import sys
from pathlib import Path

from dpps_simpipe.streams.quiet import library_output_on_stderr

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    """
    parser.add_argument("description", type=Path, help="description of the calibration run (YAML)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the hand-over")
    parser.add_argument("--handover", action="store_true", help="put a trigger link beside every stream")
    parser.add_argument("--scope", default="acada", help="scope of the logical file names (default acada)")
    parser.add_argument(
        "--instrument",
        default="",
        metavar="MODEL_FOLDER",
        help="instrument model: folder, or version of the package (default: the newest of the package)",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")


def _tell(done: int, total: int) -> None:
    sys.stderr.write(f"dpps-simpipe calibration-run: {done} of {total} telescopes\n")


def run(options: argparse.Namespace) -> dict[str, object]:
    """Take a calibration run.

    Parameters
    ----------
    options : argparse.Namespace
        See `add_options`.

    Returns
    -------
    dict
        Manifest.
    """
    from dpps_simpipe.calibration_runs.running import take

    with library_output_on_stderr():
        return take(
            options.description,
            options.output,
            scope=options.scope,
            workers=options.workers,
            hand_over=options.handover,
            model=options.instrument,
            progress=_tell,
        )
