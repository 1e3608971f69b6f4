"""Measure the simulator: showers and events per second and core, memory, two workers, a whole response.

usage: python -m bench.simulation [--showers 150] [--run-showers 1200]

13 telescopes of CTAO-North, zenith 20 degrees, cores within 800 m. The time for a response is measured with
each shower used once and, as is the custom for responses to gammas (CORSIKA's CSCAT), with each shower seen
at ten places: the same particles, other telescopes, so that ten such events tell less than those of ten
showers. Rates are per second of processor time, so that they hardly depend on what else the machine does; the
gain of a second worker is of wall time, and means nothing on a busy machine: the load is printed before and
after it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from bench.figures import Figure, machine, print_figures, save_figures
from bench.system import scratch

__all__ = ["main", "measure", "parser"]

_PYTHON = Path(sys.prefix).parent / ".envs" / "pipelines" / "bin" / "python"
_SCRIPT = Path(__file__).parent / "peers" / "time_simulation.py"
_GAMMA_TEV = (0.1, 1.0, 10.0)
_WANTED = 1e5
"""Triggered gammas of a response."""
_PLACES = 10
"""Places at which a shower is seen where showers are used again."""


def _measured(*words: str) -> dict[str, float]:
    """Have the pipelines environment measure; a failure ends the benchmark."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(_PYTHON), str(_SCRIPT), *words], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        raise SystemExit(f"the simulation failed: {done.stderr}\nrun: scripts/setup pipelines")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _rates(showers: int) -> list[Figure]:
    """Measure rates at fixed energies, and the memory at the highest."""
    figures: list[Figure] = []
    for energy in _GAMMA_TEV:
        # A high shower costs about as much as ten of a tenth of its energy.
        found = _measured("showers", "gamma", str(energy), str(max(round(showers / energy**0.5), 20)))
        for what in ("showers", "events"):
            named = "triggered events" if what == "events" else what
            figures.append(
                Figure(
                    name=f"simulation, gamma of {energy:g} TeV, {named}",
                    value=found[what] / found["seconds"],
                    unit="/s/core",
                    more_is_better=True,
                )
            )
    figures.append(
        Figure(name="simulation, memory at most (10 TeV)", value=found["peak_mb"], unit="MB", aim=2000)
    )
    return figures


def _write_run(path: Path, *, showers: int, blocks: int, reuse: int = 1) -> Path:
    """Describe gammas as for a response."""
    description = {
        "dpps_simulation": 1,
        "run": 1,
        "seed": 5,
        "primary": "gamma",
        "showers": showers,
        "energy_min_tev": 0.02,
        "energy_max_tev": 50.0,
        "spectral_index": -2.0,
        "block_showers": -(-showers // blocks),
        "reuse": reuse,
    }
    path.write_text(json.dumps(description))
    return path


def _files(showers: int) -> list[Figure]:
    """Measure a run into a file with one worker and with two; extrapolate to a response."""
    with scratch() as folder:
        run = _write_run(folder / "run.json", showers=showers, blocks=6)
        # A third of the showers in as many blocks: the difference is free of what starting and writing cost.
        third = _write_run(folder / "third.json", showers=showers // 3, blocks=6)
        few = _measured("file", str(third), str(folder / "0.h5"), "1")
        print("load before the runs:", machine()["load_1_min"])
        one, two = (_measured("file", str(run), str(folder / f"{n}.h5"), str(n)) for n in (1, 2))
        print("load after the runs:", machine()["load_1_min"])
        triggered = _triggered(folder / "1.h5") - _triggered(folder / "0.h5")
    return [
        Figure(
            name="simulation into a file, two workers, wall time",
            value=two["wall"],
            unit="s",
            aim_ratio=1.9,
            peer=one["wall"],
            peer_source="one worker",
        ),
        Figure(
            name="simulation into a file, two workers, processor time",
            value=two["processor"],
            unit="s",
            peer=one["processor"],
            peer_source="one worker",
        ),
        *_response(1, triggered, one["processor"] - few["processor"]),
    ]


def _reused(showers: int) -> list[Figure]:
    """Measure the same with every shower seen at several places."""
    with scratch() as folder:
        few, many = (
            _write_run(folder / f"{part}.json", showers=showers // part, blocks=2, reuse=_PLACES)
            for part in (3, 1)
        )
        short = _measured("file", str(few), str(folder / "few.h5"), "1")
        long = _measured("file", str(many), str(folder / "many.h5"), "1")
        triggered = _triggered(folder / "many.h5") - _triggered(folder / "few.h5")
    return _response(_PLACES, triggered, long["processor"] - short["processor"])


def _response(reuse: int, triggered: int, seconds: float) -> list[Figure]:
    """Extrapolate from some events, and the processor time that they took, to a response."""
    used = "once" if reuse == 1 else f"{reuse} times"
    named = f"gammas (0.02 to 50 TeV), each shower used {used}"
    return [
        Figure(
            name=f"processor time an event, {named}",
            value=1e3 * seconds / triggered,
            unit="ms",
            peer_source=f"{triggered} events, image parameters included",
        ),
        Figure(
            name=f"10⁵ triggered {named}, two cores",
            value=_WANTED / triggered * seconds / 2.0 / 3600.0,
            unit="h",
            aim=1.0,
            peer_source="extrapolated from the time an event",
        ),
    ]


def _triggered(path: Path) -> int:
    code = "import sys, tables; print(tables.open_file(sys.argv[1]).root.dl1.event.subarray.trigger.nrows)"
    done = subprocess.run(
        [str(_PYTHON), "-W", "ignore", "-c", code, str(path)], capture_output=True, check=True
    )
    return int(done.stdout)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure everything."""
    return [
        *_rates(options.showers),
        *_files(options.run_showers),
        *_reused(options.run_showers // 4),
    ]


def parser() -> argparse.ArgumentParser:
    """Return the description of the command line."""
    described = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    described.add_argument("--showers", type=int, default=150, help="of 1 TeV; more of less energy")
    described.add_argument("--run-showers", type=int, default=1200, help="of the run into a file")
    return described


def main() -> None:
    """Measure and print."""
    options = parser().parse_args()
    print("machine:", machine())
    figures = measure(options)
    print_figures(figures)
    save_figures(figures, Path("reports") / "bench-simulation.json")


if __name__ == "__main__":
    main()
