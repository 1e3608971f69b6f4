"""``dpps-simpipe observe``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from dpps_simpipe.streams.quiet import library_output_on_stderr

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    """
    parser.add_argument("night", type=Path, help="observation description (YAML)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the hand-over")
    parser.add_argument("--handover", action="store_true", help="put a trigger link beside every stream")
    parser.add_argument("--scope", default="acada", help="scope of the logical file names (default acada)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--instrument",
        default="",
        metavar="MODEL_FOLDER",
        help="instrument model: folder, or version of the package (default: the newest of the package)",
    )
    parser.add_argument("--dry-run", action="store_true", help="check the description, simulate nothing")


def _tell(line: str) -> None:
    sys.stderr.write(f"dpps-simpipe observe: {line}\n")


def run(options: argparse.Namespace) -> dict[str, object]:
    """Simulate a night.

    Parameters
    ----------
    options : argparse.Namespace
        See `add_options`.

    Returns
    -------
    dict
        Manifests of the blocks; for readers their sums.
    """
    from dpps_simpipe.observation.observing import observe, plan

    if options.dry_run:
        result = plan(options.night, options.instrument)
        return result if options.json else _lines_of_plan(result)
    with library_output_on_stderr():
        result = observe(
            options.night,
            options.output,
            scope=options.scope,
            workers=options.workers,
            hand_over=options.handover,
            model=options.instrument,
            progress=_tell,
        )
    return result if options.json else _lines(result)


def _lines_of_plan(result: Any) -> dict[str, object]:
    """Say a plan in lines."""
    lines = {
        f"block {one['obs_id']}": ", ".join(
            [
                f"altitude {one['altitude_deg'][0]:.1f} to {one['altitude_deg'][1]:.1f} deg",
                *(f"{key}: {value:.1f} showers expected" for key, value in one["expected_showers"].items()),
            ]
        )
        for one in result["blocks"]
    }
    return {"night": f"{result['name']}, {result['array']}, nothing simulated", **lines}


def _lines(result: Any) -> dict[str, object]:
    """Say a night in lines."""
    lines: dict[str, object] = {}
    for block in result["blocks"]:
        name = f"block {block['obs_id']}"
        lines[name] = ", ".join(
            f"{key}: {one['thrown']} thrown, {one['triggered']} triggered, {one['recorded']} recorded"
            for key, one in block["counts"].items()
        )
        for number, cut in enumerate(block["cuts"], start=1):
            lines[f"{name} limit {number}"] = cut
        lines[f"{name} files"] = len(block["files"])
        lines[f"{name} manifest"] = block["manifest"]
    return {**lines, "output": result["output"], "bytes": result["bytes"]}
