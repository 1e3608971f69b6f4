"""The table of tasks from which the workload system makes one job for each run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dpps_simpipe.planning.jobs import Job
from dpps_simpipe.planning.plan import Plan
from dpps_simpipe.planning.running import DARK_NIGHT

__all__ = ["write_tasks"]

_PDG: Final = {"gamma": 22, "electron": 11, "muon": 13, "proton": 2212, "helium": 1000020040}
"""Particle Data Group, Monte Carlo particle numbering scheme."""
_MESSENGERS: Final = {"gamma": "photon"}


def write_tasks(path: Path, plan: Plan, jobs: Sequence[Job]) -> None:
    """Write one task for each run: the row of the table of runs, and metadata of its products.

    The run number is the observation id of the products, as for simulations that are handed over.
    """
    rows = [_row(plan, number, job) for number, job in enumerate(jobs, start=1)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text.getvalue())
    part.replace(path)


def _row(plan: Plan, number: int, job: Job) -> dict[str, Any]:
    return {
        "job_grid_row": number,
        "instance__obs_id": job.run_number,
        "instance__site_id": f"CTAO-{plan.site}",
        "instance__facility_name": "Simulated-CTAO",
        "instance__particle_pdgid": _PDG[job.primary],
        "instance__messenger": _MESSENGERS.get(job.primary, "cosmic-ray"),
        "simulation__production_name": plan.production,
        "simulation__node__zenith": job.zenith_angle,
        "simulation__node__azimuth": job.azimuth_angle,
        "simulation__node__nsb_factor": round(job.nsb_rate / DARK_NIGHT, 6),
        "curation__release": f"SimPipe/{plan.production}",
    }
