"""``dpps-simpipe simulate``."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

__all__ = ["add_options", "run"]


def add_options(parser: ArgumentParser) -> None:
    """Describe the command line.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser of the command.
    """
    parser.add_argument("run", type=Path, help="run description (YAML or JSON)")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--write",
        nargs="+",
        default=["dl1-images", "dl1-parameters"],
        metavar="LEVEL",
        help="what to write: r1 dl1-images dl1-parameters dl2 (default: the two of DL1)",
    )
    parser.add_argument("--dry-run", action="store_true", help="check the description, simulate nothing")


def _tell(done: int, total: int) -> None:
    sys.stderr.write(f"dpps-simpipe: {done} of {total} blocks\n")


def run(options: Namespace) -> dict[str, object]:
    """Simulate a run.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed command line.

    Returns
    -------
    dict
        What was written.
    """
    from dpps_simpipe.instrument import load_model
    from dpps_simpipe.simulation.description import load_run

    if options.dry_run:
        description = load_run(options.run)
        description.load_atmosphere()
        return {
            "run": description.run,
            "showers": description.showers,
            "blocks": description.blocks,
            "instrument_model": load_model(description.model).label,
            "dry_run": True,
        }
    from dpps_simpipe.simulation.production import produce

    result = produce(
        options.run, options.output, workers=options.workers, levels=options.write, progress=_tell
    )
    return {
        "output": str(result.output),
        "bytes": result.output.stat().st_size,
        "showers": result.showers,
        "blocks": result.blocks,
        "blocks_before": result.blocks_before,
    }
