"""Measure DL0 to DL2 over many files on two cores, against starting ``ctapipe-process`` for each file.

usage: python -m bench.many_files [--files 50] [--events 8]

The files are simulated wave forms of CTAO-North (13 telescopes), a few distinct ones under many names. Both
sides read the same files with the same configuration, two at a time, one side after the other; the products
are compared table by table. Processor time is told beside the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from bench.figures import Figure, machine, print_figures, save_figures
from bench.system import scratch

__all__ = ["main", "measure", "parser"]

_BIN = Path(sys.prefix).parent / ".envs" / "pipelines" / "bin"
_ROOT = Path(__file__).parents[1]
_CONFIGURATION = _ROOT / "workflows" / "configurations" / "process_events.yaml"
_COMPARE = Path(__file__).parent / "peers" / "compare_events.py"
_DISTINCT = 5
_CORES = 2


def _run(words: list[str], folder: Path) -> str:
    """Run a program of the pipelines environment; a failure ends the benchmark."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words[:4])} failed: {done.stderr[-2000:]}")
    return done.stdout


def _make_files(folder: Path, *, files: int, events: int) -> list[Path]:
    """Simulate a few distinct files and give them many names."""
    folder.mkdir()
    distinct: list[Path] = []
    for number in range(1, min(_DISTINCT, files) + 1):
        run = folder / f"run{number}.json"
        description = {
            "dpps_simulation": 1,
            "run": number,
            "seed": 7,
            "primary": "gamma",
            "showers": events,
            "energy_min_tev": 0.5,
            "energy_max_tev": 2.0,
            "core_radius_m": 150.0,
        }
        run.write_text(json.dumps(description))
        made = folder / f"distinct{number}.h5"
        _run(
            [str(_BIN / "dpps-simpipe"), "simulate", str(run), "--output", str(made), "--write", "r1"], folder
        )
        distinct.append(made)
    names = [folder / f"events_{number:04d}.r1.h5" for number in range(files)]
    for number, name in enumerate(names):
        shutil.copyfile(distinct[number % len(distinct)], name)
    return names


def _ours(files: list[Path], products: Path) -> None:
    words = [str(_BIN / "dpps-datapipe"), "process-files", "--files", *map(str, files)]
    words += ["--output-folder", str(products), "--level", "dl2", "--jobs", str(_CORES), "--"]
    _run([*words, "--config", str(_CONFIGURATION), "--log-level=ERROR"], products.parent)


def _stock(files: list[Path], products: Path) -> None:
    """Start the stock tool once for each file, on as many cores."""
    products.mkdir()

    def one(path: Path) -> None:
        product = products / f"{path.name.removesuffix('.r1.h5')}.dl2.h5"
        words = [str(_BIN / "ctapipe-process"), f"--input={path}", f"--output={product}"]
        words += [f"--config={_CONFIGURATION}", f"--provenance-log={product}.log", "--log-level=ERROR"]
        _run([*words, "--ProcessorTool.monitoring_source_list=[]"], products)

    with ThreadPoolExecutor(_CORES) as pool:
        list(pool.map(one, files))


def _timed(
    work: Callable[[list[Path], Path], None], files: list[Path], products: Path
) -> tuple[float, float]:
    """Give wall time and processor time of the children in seconds."""
    this = psutil.Process()
    before, started = this.cpu_times(), time.perf_counter()
    work(files, products)
    wall, after = time.perf_counter() - started, this.cpu_times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, processor


def measure(options: argparse.Namespace) -> list[Figure]:
    """Process the files both ways and compare the products."""
    with scratch() as folder:
        files = _make_files(folder / "input", files=options.files, events=options.events)
        print("load before:", machine()["load_1_min"])
        wall, processor = _timed(_ours, files, folder / "ours")
        print("load between:", machine()["load_1_min"])
        stock_wall, stock_processor = _timed(_stock, files, folder / "stock")
        print("load after:", machine()["load_1_min"])
        words = [str(_BIN / "python"), str(_COMPARE), str(folder / "ours"), str(folder / "stock")]
        compared = json.loads(_run(words, folder).splitlines()[-1])
    if compared["differences"] or compared["files"] != len(files) or not compared["rows"]:
        raise SystemExit(f"the products are not the same: {compared}")
    print(
        f"compared: {compared['files']} files, {compared['tables']} tables, {compared['rows']} rows are equal"
    )
    peer = "ctapipe-process once per file, two at a time"
    return [
        Figure(
            name=f"DL0 to DL2, {len(files)} files, two cores, wall time",
            value=wall,
            unit="s",
            aim_ratio=3.0,
            peer=stock_wall,
            peer_source=peer,
        ),
        Figure(
            name=f"DL0 to DL2, {len(files)} files, processor time",
            value=processor,
            unit="s",
            peer=stock_processor,
            peer_source=peer,
        ),
    ]


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    described = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    described.add_argument("--files", type=int, default=50)
    described.add_argument("--events", type=int, default=8, help="showers thrown for each file")
    return described


def main() -> None:
    """Measure and print."""
    options = parser().parse_args()
    print("machine:", machine())
    figures = measure(options)
    print_figures(figures)
    save_figures(figures, Path("reports") / "bench-many-files.json")


if __name__ == "__main__":
    main()
