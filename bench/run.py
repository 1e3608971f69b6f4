"""Measure everything: the system as a whole, ingest, replication, a large catalogue, simulation, many files.

usage: python -m bench.run [--only PART,...] [--full] [--skip-demo] [--input DIR]

Parts: system, ingest, replication, catalogue, simulation, many-files.

Sizes are such that all of it takes about a quarter of an hour; ``--full`` takes those that the aims are
stated for. The peer's figures for the system as a whole are the published system's own: up to ten minutes to
install from nothing, 6 GB of memory. All other peers are measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench import catalogue, ingest, many_files, replication, simulation
from bench.figures import Figure, machine, print_figures, save_figures
from dpps.composition.state import default_state_folder

DPPS = Path(sys.prefix) / "bin" / "dpps"
PUBLISHED = "published system's documentation"
IDLE_SECONDS = 30

QUICK = {
    "ingest": ["--files=400", "--peer-files=40", "--rounds=1", "--large-events=2500"],
    "replication": ["--small=100", "--large=3", "--large-mb=128"],
    "catalogue": ["--files=100000", "--pages=12"],
    "simulation": ["--showers=60", "--run-showers=600"],
    "many-files": ["--files=12", "--events=8"],
}
FULL = {
    "ingest": ["--files=1000", "--peer-files=200", "--rounds=2", "--large-events=10000"],
    "replication": ["--small=300", "--large=3", "--large-mb=1000"],
    "catalogue": ["--files=100000", "--pages=60"],
    "simulation": ["--showers=150", "--run-showers=1200"],
    "many-files": ["--files=50", "--events=8"],
}


def timed(*arguments: str) -> float:
    """Run ``dpps`` and return the wall time in seconds; an error ends the benchmark."""
    started = time.perf_counter()
    done = subprocess.run([str(DPPS), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"dpps {' '.join(arguments)} failed:\n{done.stderr}")
    return time.perf_counter() - started


def help_seconds(runs: int = 9) -> float:
    """Median wall time of ``dpps --help``."""
    return statistics.median(timed("--help") for _ in range(runs))


def _tree(state: Path) -> list[psutil.Process]:
    status = json.loads((state / "run" / "status.json").read_text())
    supervisor = psutil.Process(status["supervisor_pid"])
    return [supervisor, *supervisor.children(recursive=True)]


def idle(state: Path) -> tuple[float, float]:
    """Memory (proportional set size, GB) and CPU (percent of one core) of the idle system."""
    time.sleep(10)  # the start-up work of the daemons is not idleness
    before = {process.pid: sum(process.cpu_times()[:2]) for process in _tree(state)}
    time.sleep(IDLE_SECONDS)
    processes = _tree(state)
    used = sum(sum(process.cpu_times()[:2]) - before.get(process.pid, 0.0) for process in processes)
    memory = sum(process.memory_full_info().pss for process in processes)
    return memory / 1e9, 100 * used / IDLE_SECONDS


def system_figures(state: Path) -> list[Figure]:
    """Start from nothing, stop, start again, and watch it idle."""
    first = timed("up", "--state", str(state))
    timed("down", "--state", str(state))
    second = timed("up", "--state", str(state))
    try:
        memory_gb, cpu_percent = idle(state)
    finally:
        timed("down", "--state", str(state))
    return [
        Figure(
            name="first `dpps up`, with bootstrap",
            value=first,
            unit="s",
            aim=60,
            peer=600,
            peer_source=PUBLISHED,
        ),
        Figure(name="`dpps up` from an initialised state", value=second, unit="s", aim=15),
        Figure(name="idle memory (PSS)", value=memory_gb, unit="GB", aim=1.5, peer=6, peer_source=PUBLISHED),
        Figure(name="idle CPU, of one core", value=cpu_percent, unit="%", aim=5),
    ]


def demo_figure(state: Path, folder: str | None) -> Figure:
    """Wall time of a whole demo, its start included."""
    given = ["--input", folder] if folder else []
    seconds = timed("demo", "--state", str(state), "--json", *given)
    kind = json.loads((state / "report.json").read_text())["kind"]
    return Figure(name=f"demo, {kind} input", value=seconds, unit="s", aim=300)


def whole_system_figures(options: argparse.Namespace) -> list[Figure]:
    """Start, idle, demo and command line."""
    figures = [Figure(name="`dpps --help`", value=help_seconds(), unit="s", aim=0.3)]
    parent = default_state_folder().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dpps-bench-", dir=parent) as scratch:
        Path(scratch).chmod(0o755)
        figures += system_figures(Path(scratch) / "system")
        if not options.skip_demo:
            figures.append(demo_figure(Path(scratch) / "demo", options.input))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="system,ingest,replication,catalogue,simulation,many-files")
    parser.add_argument("--full", action="store_true", help="the sizes that the aims are stated for")
    parser.add_argument("--skip-demo", action="store_true")
    parser.add_argument("--input", help="folder of files for the demo")
    options = parser.parse_args()
    sizes = FULL if options.full else QUICK
    parts: dict[str, Callable[[], list[Figure]]] = {
        "system": lambda: whole_system_figures(options),
        "ingest": lambda: ingest.measure(ingest.parser().parse_args(sizes["ingest"])),
        "replication": lambda: replication.measure(replication.parser().parse_args(sizes["replication"])),
        "catalogue": lambda: catalogue.measure(catalogue.parser().parse_args(sizes["catalogue"])),
        "simulation": lambda: simulation.measure(simulation.parser().parse_args(sizes["simulation"])),
        "many-files": lambda: many_files.measure(many_files.parser().parse_args(sizes["many-files"])),
    }
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(parts):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}: choose from {', '.join(parts)}")
    print("machine:", machine())
    figures: list[Figure] = []
    for name in chosen:
        figures += parts[name]()
        save_figures(figures, Path("reports") / "bench.json")  # what was measured outlives what fails later
    print_figures(figures)


if __name__ == "__main__":
    main()
