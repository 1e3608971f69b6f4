"""``python -m dpps_science.closure --seeds 10 --output FOLDER``: pulls of many simulated nights.

Killed at any time, the same command goes on where it was. The response is made once; every night has a
seed of its own. Results: ``closure.ecsv``, one row a night, and ``closure.png``.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from dpps.domain.steps import ConfigurationError, StepParser, run_step
from dpps_science.closure.chain import Chain
from dpps_science.closure.results import draw_pulls, pull_table, summarise, write_table
from dpps_science.closure.steps import Commands

__all__ = ["main"]


def _parser() -> StepParser:
    parser = StepParser(prog="python -m dpps_science.closure", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="number of nights (default: 10)")
    parser.add_argument("--first-seed", type=int, default=1, help="seed of the first night (default: 1)")
    parser.add_argument("--output", type=Path, required=True, help="folder of everything")
    parser.add_argument(
        "--night",
        type=Path,
        default=Path("workflows/productions/crab_night"),
        help="folder of the night's production (default: that of the source tree)",
    )
    parser.add_argument(
        "--simulations", type=Path, help="folder of the tables of runs (default: that of --night)"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes, and nights at a time; results do not depend on it"
    )
    return parser


def _tell(line: str) -> None:
    sys.stderr.write(f"closure: {line}\n")


def _compared(chain: Chain, seeds: range) -> Iterator[dict[str, Any]]:
    """Give the comparisons of all nights, in the order in which they end."""
    with ThreadPoolExecutor(chain.jobs) as pool:
        try:
            # Nights are observed beside the simulations of the response: neither needs the other.
            made = [pool.submit(chain.response), *(pool.submit(chain.observed, seed) for seed in seeds)]
            for done in as_completed(made):
                done.result()
            for night in as_completed([pool.submit(chain.one_night, seed) for seed in seeds]):
                yield night.result()
        finally:
            # What runs comes to its end; what waits need not begin when something has failed.
            pool.shutdown(wait=True, cancel_futures=True)


def _run(options: argparse.Namespace) -> None:
    if options.seeds < 1 or options.first_seed < 0 or options.jobs < 1:
        raise ConfigurationError(
            "there must be one night and one process at least, and no negative seed",
            "correct --seeds, --jobs or --first-seed",
        )
    night = options.night.resolve()
    chain = Chain(
        night=night,
        simulations=(options.simulations or night).resolve(),
        configurations=night.parents[1] / "configurations",
        output=options.output.resolve(),
        jobs=options.jobs,
        commands=Commands(tell=_tell),
    )
    chain.check()
    rows: list[dict[str, Any]] = []
    for row in _compared(chain, range(options.first_seed, options.first_seed + options.seeds)):
        rows = sorted([*rows, row], key=lambda one: one["seed"])
        table = pull_table(rows)
        # Written after every night: what is there so far can be looked at.
        write_table(table, options.output / "closure.ecsv")
        _tell(f"seed {row['seed']}: {summarise(table)}")
    draw_pulls(table, options.output / "closure.png")
    sys.stdout.write(f"{summarise(table)}\nwritten: {options.output / 'closure.ecsv'}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the nights of a command line; return an exit code of the interface."""
    return run_step("closure", lambda: _run(_parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
