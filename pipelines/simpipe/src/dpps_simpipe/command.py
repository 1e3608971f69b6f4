"""``dpps-simpipe``: simulate showers, compare the simulator with real simulation."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dpps.domain.errors import DppsError, InvalidInput

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="dpps-simpipe", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser("simulate", help="simulate a run into a ctapipe HDF5 file")
    simulate.add_argument("run", type=Path, help="run description (YAML or JSON)")
    simulate.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    simulate.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    simulate.add_argument(
        "--write",
        nargs="+",
        default=["dl1-images", "dl1-parameters"],
        metavar="LEVEL",
        help="what to write: r1 dl1-images dl1-parameters dl2 (default: the two of DL1)",
    )
    simulate.add_argument("--dry-run", action="store_true", help="check the description, simulate nothing")
    simulate.add_argument("--json", action="store_true", help="print the result as JSON")
    simulate.set_defaults(function=_simulate)
    compare = commands.add_parser("compare", help="compare with files of sim_telarray and CORSIKA")
    compare.add_argument("--simtel", type=Path, help="folder of sim_telarray files")
    compare.add_argument("--corsika", type=Path, help="folder of CORSIKA photon files")
    compare.add_argument("--output", type=Path, required=True, help="folder of tables and figures")
    compare.add_argument("--showers", type=int, default=40, help="our showers per event (default 40)")
    compare.add_argument("--seed", type=int, default=1, help="seed of ours (default 1)")
    compare.add_argument("--json", action="store_true", help="print the result as JSON")
    compare.set_defaults(function=_compare)
    return parser


def _compare(options: argparse.Namespace) -> dict[str, object]:
    """Compare with real simulation."""
    if options.simtel is None and options.corsika is None:
        raise InvalidInput(
            "nothing to compare with",
            code="simpipe.nothing-to-compare",
            next_step="Give --simtel FOLDER, --corsika FOLDER or both.",
        )
    from dpps_simpipe.compare.campaign import compare

    summary: dict[str, object] = compare(
        options.simtel,
        options.corsika,
        options.output,
        showers=options.showers,
        seed=options.seed,
        progress=_tell_event,
    )
    if options.json:
        return summary
    text = (options.output / "comparison.txt").read_text(encoding="utf-8")
    return {"table": f"\n{text}", "output": str(options.output)}


def _tell_event(event: str) -> None:
    sys.stderr.write(f"dpps-simpipe: {event}\n")


def _tell_progress(done: int, total: int) -> None:
    sys.stderr.write(f"dpps-simpipe: {done} of {total} blocks\n")


def _simulate(options: argparse.Namespace) -> dict[str, object]:
    """Simulate a run."""
    from dpps_simpipe.simulation.description import load_run

    if options.dry_run:
        run = load_run(options.run)
        run.load_atmosphere()
        return {"run": run.run, "showers": run.showers, "blocks": run.blocks, "dry_run": True}
    from dpps_simpipe.simulation.production import produce

    result = produce(
        options.run,
        options.output,
        workers=options.workers,
        levels=options.write,
        progress=_tell_progress,
    )
    return {
        "output": str(result.output),
        "bytes": result.output.stat().st_size,
        "showers": result.showers,
        "blocks": result.blocks,
        "blocks_before": result.blocks_before,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None: those of the process.

    Returns
    -------
    int
        0, or the exit code of the error that is printed on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        result: dict[str, object] = options.function(options)
    except DppsError as error:
        if options.json:
            sys.stdout.write(json.dumps(error.as_dict(), indent=2) + "\n")
        sys.stderr.write(f"dpps-simpipe: {error}\n")
        if error.next_step:
            sys.stderr.write(f"{error.next_step}\n")
        return error.exit_code
    if options.json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{key}: {value}\n" for key, value in result.items()))
    return 0
