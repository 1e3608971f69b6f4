"""UC-150-3.1: a simulation production, from the grid of points to products in the archive."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.testing.command_line import Shell

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

_REPOSITORY = Path(__file__).parents[2]
_PROGRAMS = Path(sys.prefix).parent / ".envs/pipelines/bin"
_PLANNER = _PROGRAMS / "dpps-simpipe-plan"
_PLAN = """
production: {name}
site: North
array_layout_name: CTAO-North-LST
model_version: 1.2.0
primaries:
  - primary: gamma
    energy_tev: [0.3, 1.0]
    core_scatter_max_m: 120
    showers_per_run: 8
    statistics: {{relative_error: 0.5, selection_fraction: 0.8, pilot: pilot.ecsv, bins_per_decade: 2}}
pointings: {{zenith_deg: [20], azimuth_deg: [180], nsb_rate: [0.24]}}
first_run: {first_run}
"""
_PILOT = """
dpps_simulation: 1
run: 31000
seed: 1
primary: gamma
showers: 16
energy_min_tev: 0.3
energy_max_tev: 1.0
core_radius_m: 120
array: ctao-north-lst
model: 1.2.0
"""
_PRODUCTION = """
production: {name}
transformations:
  - name: simulate
    cwl: {cwl}
    tasks: tasks.csv
    parameters: {{job_grid: grid.ecsv}}
    outputs:
      events: {{product: DL1/Event/Telescope/AirShowerSim}}
"""


def _pilot(folder: Path) -> list[dict[str, float]]:
    """Throw a pilot run and make the table of its triggered fractions."""
    (folder / "pilot.yaml").write_text(_PILOT)
    subprocess.run(
        [_PROGRAMS / "dpps-simpipe", "simulate", "pilot.yaml", "--output", "pilot.h5"],
        cwd=folder,
        check=True,
    )
    words = ["pilot", "pilot.h5", "--bins-per-decade", "2", "--output", "pilot.ecsv", "--json"]
    made = subprocess.run([_PLANNER, *words], cwd=folder, check=True, capture_output=True, text=True)
    fractions: list[dict[str, float]] = json.loads(made.stdout)["fractions"]
    return fractions


@pytest.mark.rucio
@pytest.mark.parsl
@pytest.mark.pipelines
@pytest.mark.verifies_usecase("UC-150-3.1")
def test_from_a_grid_of_points_to_simulated_events_in_the_archive(
    dpps: Shell, running_system: RunningSystem, tmp_path: Path
) -> None:
    name, first_run = "gamma-lst", 31001
    (tmp_path / "plan.yaml").write_text(_PLAN.format(name=name, first_run=first_run))
    (fraction,) = _pilot(tmp_path)
    assert 0.5 < fraction["fraction"] < fraction["measured"] <= 1.0
    made = subprocess.run(
        [_PLANNER, "make", "plan.yaml", "--output", "grid.ecsv", "--tasks", "tasks.csv", "--json"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    planned: dict[str, Any] = json.loads(made.stdout)
    (point,) = planned["points"]
    assert point["deciding_bin_tev"] == pytest.approx([0.3, 1.0])
    # 1 / 0.5^2 selected showers in 95 of 100 productions: 7.75 on average, by chi-squared of 8.
    assert planned["showers"] == math.ceil(7.7537 / (0.8 * fraction["fraction"]))
    cwl = _REPOSITORY / "workflows/tools/simulate_showers.cwl"
    path = tmp_path / "production.yaml"
    path.write_text(_PRODUCTION.format(name=name, cwl=cwl))
    plan = dpps("production", "submit", str(path), "--dry-run")
    assert plan["transformations"][0]["tasks"] == planned["runs"] == 2
    status = dpps("production", "submit", str(path), "--wait")
    assert status["products"] == sorted(plan["transformations"][0]["outputs"])
    files = dpps("data", "find", f"dpps__production = '{name}'")
    assert [one["metadata"]["instance__obs_id"] for one in files] == [first_run, first_run + 1]
    for one in files:
        assert one["metadata"]["simulation__node__zenith"] == 20.0
        assert one["metadata"]["simulation__production_name"] == name
        assert one["metadata"]["activity__configuration_id"].startswith("sha256:")
    assert len({one["metadata"]["activity__configuration_id"] for one in files}) == 2
