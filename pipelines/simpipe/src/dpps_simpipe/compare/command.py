"""``dpps-simpipe compare``."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from dpps.domain.steps import ConfigurationError

__all__ = ["add_options", "run"]


def add_options(parser: ArgumentParser) -> None:
    """Describe the command line.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser of the command.
    """
    parser.add_argument("--simtel", type=Path, help="folder of sim_telarray files")
    parser.add_argument("--corsika", type=Path, help="folder of CORSIKA photon files")
    parser.add_argument("--output", type=Path, required=True, help="folder of tables and figures")
    parser.add_argument("--showers", type=int, default=40, help="our showers per event (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="seed of ours (default 1)")


def _tell(event: str) -> None:
    sys.stderr.write(f"dpps-simpipe: {event}\n")


def run(options: Namespace) -> dict[str, object]:
    """Compare with real simulation.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed command line.

    Returns
    -------
    dict
        The summary, or the table for readers.

    Raises
    ------
    ConfigurationError
        Neither folder is given.
    """
    if options.simtel is None and options.corsika is None:
        raise ConfigurationError("nothing to compare with", "Give --simtel FOLDER, --corsika FOLDER or both.")
    from dpps_simpipe.compare.campaign import compare

    summary: dict[str, object] = compare(
        options.simtel,
        options.corsika,
        options.output,
        showers=options.showers,
        seed=options.seed,
        progress=_tell,
    )
    if options.json:
        return summary
    text = (options.output / "comparison.txt").read_text(encoding="utf-8")
    return {"table": f"\n{text}", "output": str(options.output)}
