"""Run in the pipelines environment: processor time and memory of simulated showers, as JSON.

usage: time_simulation.py showers PRIMARY ENERGY_TEV NUMBER | file RUN_DESCRIPTION OUTPUT WORKERS
"""

import json
import resource
import sys
import time
from pathlib import Path

from dpps_simpipe.simulation.description import Run
from dpps_simpipe.simulation.events import Simulator
from dpps_simpipe.simulation.production import produce


def used_seconds() -> float:
    """Give the processor time of this process and of its ended children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def time_showers(primary: str, energy_tev: float, number: int) -> dict[str, float]:
    """Simulate showers of one energy, 13 telescopes, cores within 800 m, without writing."""
    run = Run(
        run=1,
        seed=1,
        primary=primary,
        showers=2 * number + 1,
        energy_min_tev=energy_tev,
        energy_max_tev=energy_tev,
        view_cone_deg=0.0 if primary == "gamma" else 4.0,
    )
    simulator = Simulator(run)
    warm = 0  # compiled code is loaded and the night sky is made before the clock runs
    while warm < number and not any(found for _, found in simulator.events(range(warm, warm + 1))):
        warm += 1
    seconds, events, telescopes = time.process_time(), 0, 0
    for _, found in simulator.events(range(number, 2 * number)):
        events += len(found)
        telescopes += sum(len(event.telescopes) for event in found)
    seconds = time.process_time() - seconds
    return {
        "showers": number,
        "events": events,
        "telescopes": telescopes,
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def time_file(run: Path, output: Path, workers: int) -> dict[str, float]:
    """Simulate a run into a file with images' parameters."""
    before, started = used_seconds(), time.perf_counter()
    produce(run, output, workers=workers, levels=("dl1-parameters",))
    return {"wall": time.perf_counter() - started, "processor": used_seconds() - before}


def main() -> None:
    """Measure what the command line says."""
    what, *rest = sys.argv[1:]
    if what == "showers":
        result = time_showers(rest[0], float(rest[1]), int(rest[2]))
    else:
        result = time_file(Path(rest[0]), Path(rest[1]), int(rest[2]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
