"""The production of the demo's night fits the simulator as it is."""

import csv
from pathlib import Path

import pytest
import yaml
from ctao_datamodel.models.dataproducts import ProductType
from dpps_science.injected import read_injected
from dpps_simpipe.observation.reading import load_night
from dpps_simpipe.planning.command import main as plan
from dpps_simpipe.planning.jobs import read_grid
from dpps_simpipe.planning.running import run_description

NIGHT = Path(__file__).parents[3] / "workflows" / "productions" / "crab_night"


@pytest.mark.parametrize("name", ["models", "response"])
def test_runs_and_tasks_are_those_of_the_plan(name: str, tmp_path: Path) -> None:
    made, tasks = tmp_path / "runs.ecsv", tmp_path / "tasks.csv"
    assert plan(["make", str(NIGHT / f"{name}.plan.yaml"), "--output", str(made), "--tasks", str(tasks)]) == 0
    assert made.read_text() == (NIGHT / f"{name}.runs.ecsv").read_text()
    shipped = [
        row
        for kind in ("gammas", "protons")
        for row in csv.DictReader((NIGHT / f"{name}.{kind}.csv").read_text().splitlines())
    ]
    assert shipped == list(csv.DictReader(tasks.read_text().splitlines()))


@pytest.mark.parametrize("name", ["models", "response"])
def test_the_simulator_can_do_the_runs(name: str) -> None:
    grid = read_grid(NIGHT / f"{name}.runs.ecsv")
    for job in grid.jobs:
        told = run_description(job, seed=1, spectral_index=grid.spectral_index[job.primary])
        assert told["array"] == "ctao-north-lst"


def test_the_night_can_be_observed_and_compared_with() -> None:
    night = load_night(NIGHT / "night.yaml")
    assert len(night.blocks) == 2
    injected = read_injected(NIGHT / "night.yaml")
    assert (injected.name, injected.shape["index"]) == ("power-law", 2.62)
    assert injected.background_fraction == 0.001


def test_every_product_has_a_type_of_the_data_model() -> None:
    production = yaml.safe_load((NIGHT / "crab_night.yaml").read_text())
    outputs = [one for step in production["transformations"] for one in step["outputs"].values()]
    for output in outputs:
        level, division, association, kind = output["product"].split("/")
        ProductType(level=level, division=division, association=association, type=kind)
    assert len(outputs) == 29
    records = [
        name for step in production["transformations"] for name in step["outputs"] if "provenance_log" in name
    ]
    assert len(records) == 16
