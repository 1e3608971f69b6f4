"""From a plan to a table of runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from astropy import units as u
from astropy.table import QTable
from dpps_simpipe.planning.back_ends import FastSimulator, Simtools, Task
from dpps_simpipe.planning.command import main
from dpps_simpipe.planning.cost import estimate
from dpps_simpipe.planning.grid import jobs_of, points_of
from dpps_simpipe.planning.jobs import read_grid, write_jobs
from dpps_simpipe.planning.limits import Limits, TriggeredEvents, derive_limits, read_limits, write_limits
from dpps_simpipe.planning.manifest import RunStatistics, make_manifest, read_manifest, write_manifest
from dpps_simpipe.planning.plan import Cost, Plan, Statistics, load_plan
from dpps_simpipe.planning.statistics import read_pilot, required_showers, selected_showers, spectrum_fraction

from dpps.domain.steps import ConfigurationError, InsufficientStatistics, MissingInput

GAMMA: dict[str, Any] = {
    "primary": "gamma",
    "energy_tev": [0.01, 100.0],
    "spectral_index": -2.0,
    "cores_per_shower": 1,
    "core_scatter_max_m": 1000.0,
    "view_cone_deg": [0.0, 0.0],
    "showers_per_run": 1000,
    "statistics": {"total_showers": 2500},
}
DOCUMENT: dict[str, Any] = {
    "production": "gamma-north",
    "site": "North",
    "array_layout_name": "CTAO-North-Alpha",
    "model_version": "1.2.0",
    "primaries": [GAMMA],
    "pointings": {"zenith_deg": [20.0, 60.0], "azimuth_deg": [0.0, 180.0], "nsb_rate": [0.24]},
}

Planner = Callable[..., Path]


@pytest.fixture
def planned(tmp_path: Path) -> Planner:
    """Write a plan with other entries; those of ``gamma`` are the primary's."""

    def write(gamma: dict[str, Any] | None = None, **others: Any) -> Path:
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump({**DOCUMENT, "primaries": [{**GAMMA, **(gamma or {})}], **others}))
        return path

    return write


def pilot(path: Path, fraction: list[float]) -> Path:
    """Write triggered fractions in bins of half a decade from 10 GeV on."""
    edges = 0.01 * 10 ** (0.5 * np.arange(len(fraction) + 1))
    table = QTable({"energy_min": edges[:-1] * u.TeV, "energy_max": edges[1:] * u.TeV, "fraction": fraction})
    table.write(path, format="ascii.ecsv", overwrite=True)
    return path


def test_points_are_every_combination_and_runs_are_numbered_through(planned: Planner) -> None:
    plan = load_plan(planned(first_run=7))
    points = points_of(plan)
    assert [(one.zenith_deg, one.azimuth_deg) for one in points] == [(20, 0), (20, 180), (60, 0), (60, 180)]
    jobs = list(jobs_of(plan, points))
    assert [job.showers_per_run for job in jobs] == [1000, 1000, 500] * 4
    assert [job.run_number for job in jobs] == list(range(7, 19))
    assert {(job.energy_min, job.energy_max) for job in jobs} == {(10.0, 100_000.0)}


def test_scaling_moves_threshold_and_area_with_zenith_angle(planned: Planner) -> None:
    plan = load_plan(planned(scaling={"energy_min": -3, "core_scatter": -1, "showers": 1}))
    low, *_, high = points_of(plan)
    assert high.energy_tev[0] == pytest.approx(0.01 * math.cos(math.radians(60)) ** -3)
    assert high.core_scatter_max_m == pytest.approx(2000.0)
    assert high.requirement.showers in {1250, 1251}
    assert low.requirement.showers == math.ceil(2500 * math.cos(math.radians(20)))


def test_the_number_of_showers_gives_the_error_asked_for(tmp_path: Path) -> None:
    """Throw the showers that were asked for many times, and look how often enough of them are selected."""
    source = read_pilot(pilot(tmp_path / "pilot.ecsv", [0.1] * 8))
    wanted = Statistics(
        relative_error=0.2, pilot=tmp_path / "pilot.ecsv", bins_per_decade=2, selection_fraction=0.7
    )
    found = required_showers(wanted, (0.01, 100.0), -2.0, 1, source)
    assert found.deciding_bin_tev == pytest.approx((100 / math.sqrt(10), 100.0))
    part = spectrum_fraction(found.deciding_bin_tev or (0, 0), (0.01, 100.0), -2.0)
    generator = np.random.default_rng(1)
    selected = generator.binomial(found.showers, part * 0.1 * 0.7, size=20_000)
    assert np.mean(selected >= 25) == pytest.approx(0.95, abs=0.01)  # 1 / sqrt(25) is 0.2


def test_what_always_triggers_still_needs_its_showers(tmp_path: Path) -> None:
    wanted = Statistics(relative_error=0.2, pilot=tmp_path / "pilot.ecsv", selection_fraction=1.0)
    whole = read_pilot(pilot(tmp_path / "pilot.ecsv", [0.99] * 2))
    found = required_showers(wanted, (0.01, 0.1), -1.0, 1, whole)
    assert found.showers / 5 * 0.99 == pytest.approx(selected_showers(0.2, 0.95), rel=0.02)
    assert selected_showers(0.2, 0.95) == pytest.approx(67.5 / 2, rel=0.01)  # chi-squared of 50: 67.50


def test_one_wide_bin_reaches_to_its_edges(tmp_path: Path) -> None:
    path = tmp_path / "pilot.ecsv"
    QTable({"energy_min": [0.1] * u.TeV, "energy_max": [10.0] * u.TeV, "fraction": [0.5]}).write(path)
    source = read_pilot(path)
    assert [source.at(energy) for energy in (0.11, 1.0, 9.9)] == pytest.approx([0.5] * 3)
    assert (source.at(0.09), source.at(11.0)) == (0.0, 0.0)
    wanted = Statistics(relative_error=0.3, pilot=path)
    assert required_showers(wanted, (0.1, 10.0), -2.0, 1, source).showers > 0


def test_an_array_of_the_other_site_is_refused(planned: Planner) -> None:
    with pytest.raises(ConfigurationError, match="CTAO-South-Alpha does not stand at the site North"):
        load_plan(planned(array_layout_name="CTAO-South-Alpha"))


def test_uses_of_one_shower_do_not_count_twice(tmp_path: Path) -> None:
    source = read_pilot(pilot(tmp_path / "pilot.ecsv", [0.9] * 8))
    wanted = Statistics(relative_error=0.05, pilot=tmp_path / "pilot.ecsv")
    once = required_showers(wanted, (0.01, 100.0), -2.0, 1, source)
    tenfold = required_showers(wanted, (0.01, 100.0), -2.0, 10, source)
    assert tenfold.showers <= once.showers
    rare = read_pilot(pilot(tmp_path / "rare.ecsv", [0.001] * 8))
    thrown = [required_showers(wanted, (0.01, 100.0), -2.0, uses, rare).showers for uses in (1, 10)]
    assert thrown[0] / thrown[1] == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize(
    ("fraction", "total", "message"),
    [
        ([0.1] * 8, None, None),
        ([0.1, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1], None, "nothing that triggers"),
        ([0.0] * 8, None, "nothing that triggers"),
        ([0.1] * 8, 10, "at most 10"),
    ],
)
def test_what_a_pilot_cannot_bear_is_refused_with_the_bin(
    tmp_path: Path, fraction: list[float], total: int | None, message: str | None
) -> None:
    source = read_pilot(pilot(tmp_path / "pilot.ecsv", fraction))
    wanted = Statistics(relative_error=0.05, pilot=tmp_path / "pilot.ecsv", total_showers=total)
    if message is None:
        assert required_showers(wanted, (0.01, 100.0), -2.0, 1, source).showers > 0
        return
    with pytest.raises(InsufficientStatistics, match=message) as refused:
        required_showers(wanted, (0.01, 100.0), -2.0, 1, source)
    assert "TeV" in refused.value.message


@pytest.mark.parametrize(
    "columns",
    [
        {"energy_min": [1.0] * u.m, "energy_max": [2.0] * u.m, "fraction": [0.1]},
        {"energy_min": [1.0], "energy_max": [2.0], "fraction": [0.1]},
        {"energy_min": [1.0] * u.TeV, "energy_max": [2.0] * u.TeV},
        {"energy_min": [1.0, 3.0] * u.TeV, "energy_max": [2.0, 4.0] * u.TeV, "fraction": [0.1, 0.1]},
        {"energy_min": [1.0] * u.TeV, "energy_max": [2.0] * u.TeV, "fraction": [1.5]},
        {"energy_min": [1.0] * u.TeV, "energy_max": [2.0] * u.TeV, "fraction": [math.nan]},
    ],
)
def test_a_wrong_pilot_is_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    path = tmp_path / "pilot.ecsv"
    QTable(columns).write(path, format="ascii.ecsv")
    with pytest.raises(ConfigurationError, match=r"pilot\.ecsv"):
        read_pilot(path)


def test_limits_narrow_what_is_thrown_and_are_never_borrowed(planned: Planner, tmp_path: Path) -> None:
    here = Limits(
        primary="gamma",
        array_name="CTAO-North-Alpha",
        zenith_deg=20.0,
        azimuth_deg=0.0,
        nsb_level=0.24,
        energy_min_tev=0.03,
        core_distance_max_m=700.0,
        view_cone_max_deg=4.0,
    )
    write_limits(tmp_path / "limits.ecsv", [here])
    assert read_limits(tmp_path / "limits.ecsv") == [here]
    only = {"zenith_deg": [20.0], "azimuth_deg": [360.0 - 1e-5], "nsb_rate": [0.24]}
    (point,) = points_of(
        load_plan(planned(limits="limits.ecsv", pointings=only, gamma={"view_cone_deg": [0, 10]}))
    )
    assert point.energy_tev == (0.03, 100.0)
    assert point.core_scatter_max_m == 700.0
    assert point.view_cone_deg == (0.0, 4.0)
    with pytest.raises(ConfigurationError, match="zenith 20 deg, azimuth 180 deg"):
        points_of(load_plan(planned(limits="limits.ecsv")))
    with pytest.raises(ConfigurationError, match="leave nothing to throw"):
        points_of(
            load_plan(planned(limits="limits.ecsv", pointings=only, gamma={"energy_tev": [0.01, 0.02]}))
        )


def test_limits_come_from_enough_triggered_events() -> None:
    number = 10_000
    events = TriggeredEvents(
        energy_tev=np.linspace(0.0, 1.0, number),
        core_distance_m=np.linspace(0.0, 1000.0, number),
        offset_deg=np.linspace(0.0, 10.0, number),
    )
    where = {
        "primary": "gamma",
        "array_name": "x",
        "zenith_deg": 20.0,
        "azimuth_deg": 0.0,
        "nsb_level": 0.24,
    }
    found = derive_limits(events, fraction=0.99, **where)  # type: ignore[arg-type]
    assert (found.energy_min_tev, found.core_distance_max_m) == pytest.approx((0.01, 990.0))
    assert found.view_cone_max_deg == pytest.approx(9.9)
    with pytest.raises(InsufficientStatistics, match=r"rest on 1\.0 events"):
        derive_limits(events, fraction=0.9999, **where)  # type: ignore[arg-type]


def test_the_table_of_runs_comes_back_as_it_was(planned: Planner, tmp_path: Path) -> None:
    plan = load_plan(planned())
    jobs = list(jobs_of(plan, points_of(plan)))
    path = tmp_path / "grid.ecsv"
    write_jobs(path, jobs, production="x", spectral_index={"gamma": -1.5})
    grid = read_grid(path)
    assert list(grid.jobs) == jobs
    assert (grid.production, grid.spectral_index) == ("x", {"gamma": -1.5})
    assert grid.job(12) == jobs[11]
    for row in (0, 13, -1):
        with pytest.raises(ConfigurationError, match="rows 1 to 12"):
            grid.job(row)
    assert [one.name for one in tmp_path.iterdir()] == ["plan.yaml", "grid.ecsv"] or len(
        list(tmp_path.iterdir())
    ) == 2


@pytest.mark.parametrize("change", ["no unit", "wrong unit", "no column", "no rows", "no table"])
def test_a_wrong_table_of_runs_is_refused(planned: Planner, tmp_path: Path, change: str) -> None:
    plan = load_plan(planned())
    path = tmp_path / "grid.ecsv"
    write_jobs(path, list(jobs_of(plan, points_of(plan))))
    table = QTable.read(path, format="ascii.ecsv")
    if change == "no unit":
        table["energy_min"] = table["energy_min"].value
    elif change == "wrong unit":
        table["energy_min"] = table["energy_min"].value * u.m
    elif change == "no column":
        table.remove_column("energy_min")
    elif change == "no rows":
        table = table[:0]
    table.write(path, format="ascii.ecsv", overwrite=True)
    if change == "no table":
        path.write_text("nothing of the kind")
    with pytest.raises(ConfigurationError, match=r"grid\.ecsv"):
        read_grid(path)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"gamma": {"energy_tev": [1.0, 0.1]}}, "energy_tev must rise"),
        ({"gamma": {"energy_tev": [0.0, 0.1]}}, r"primaries\.0\.energy_tev\.0"),
        ({"gamma": {"primary": "neutrino"}}, r"primaries\.0\.primary"),
        ({"gamma": {"statistics": {}}}, "total_showers"),
        ({"gamma": {"statistics": {"relative_error": 0.1}}}, "belong together"),
        ({"gamma": {"showers_per_run": 0}}, "showers_per_run"),
        ({"pointings": {"zenith_deg": [95.0], "azimuth_deg": [0], "nsb_rate": [0.2]}}, "zenith_deg"),
        ({"production": "../x"}, "production"),
        ({"unknown": 1}, "unknown"),
        ({"site": "East"}, "site"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_entry(planned: Planner, entry: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigurationError, match=place):
        load_plan(planned(**entry))


def test_files_that_are_not_there_are_named(planned: Planner, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"nope\.yaml"):
        load_plan(tmp_path / "nope.yaml")
    with pytest.raises(MissingInput, match=r"nope\.ecsv"):
        load_plan(planned(limits="nope.ecsv"))
    with pytest.raises(MissingInput, match=r"nope\.ecsv"):
        load_plan(planned(gamma={"statistics": {"relative_error": 0.1, "pilot": "nope.ecsv"}}))
    with pytest.raises(MissingInput, match=r"grid\.ecsv"):
        read_grid(tmp_path / "grid.ecsv")


def test_the_estimate_counts_showers_starts_and_events(planned: Planner, tmp_path: Path) -> None:
    pilot(tmp_path / "pilot.ecsv", [0.1] * 8)
    statistics = {"relative_error": 0.1, "pilot": "pilot.ecsv", "energy_tev": [0.1, 10.0]}
    points = points_of(load_plan(planned(gamma={"statistics": statistics})))
    cost = estimate(points, Cost(seconds_per_shower_at_1_tev=2.0, energy_exponent=0.0, seconds_per_run=10.0))
    runs = sum(one.runs for one in points)
    showers = sum(one.requirement.showers for one in points)
    assert cost.core_hours == pytest.approx((2.0 * showers + 10.0 * runs) / 3600)
    assert cost.bytes == pytest.approx(0.1 * showers * 200_000, rel=0.2)


def test_simtools_says_what_is_missing(planned: Planner, tmp_path: Path) -> None:
    plan = load_plan(planned())
    path = tmp_path / "grid.ecsv"
    write_jobs(path, list(jobs_of(plan, points_of(plan))))
    task = Task(job_grid=path, row=1, output=tmp_path / "out")
    bare = Simtools({"PATH": str(tmp_path), "SIMTOOLS_CORSIKA_PATH": str(tmp_path / "corsika")})
    assert len(bare.missing()) == 3
    with pytest.raises(MissingInput, match="simtools-simulate-prod"):
        bare.command(task)
    program = tmp_path / "simtools-simulate-prod"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    folder = str(tmp_path)
    there = Simtools({"PATH": folder, "SIMTOOLS_CORSIKA_PATH": folder, "SIMTOOLS_SIM_TELARRAY_PATH": folder})
    assert there.command(task)[:3] == [
        "simtools-simulate-prod",
        f"--job_grid_file={path}",
        "--job_grid_row=1",
    ]
    assert FastSimulator().command(task)[:2] == ["dpps-simpipe-plan", "run"]
    with pytest.raises(ConfigurationError, match="no name of an option"):
        FastSimulator().command(Task(job_grid=path, row=1, output=tmp_path, options={"--x y": "1"}))


def test_a_manifest_names_files_that_are_there(planned: Planner, tmp_path: Path) -> None:
    plan: Plan = load_plan(planned())
    job = next(jobs_of(plan, points_of(plan)))
    manifest = make_manifest(
        job,
        production=plan.production,
        site=plan.site,
        statistics=RunStatistics(simulated_events=1000, triggered_events=10),
        atmosphere={"name": "built-in"},
        files={"events": ["run1.h5"]},
    )
    path = tmp_path / "simulate_prod_job_metadata.yml"
    write_manifest(path, manifest)
    with pytest.raises(ConfigurationError, match=r"run1\.h5"):
        read_manifest(path)
    (tmp_path / "run1.h5").touch()
    assert read_manifest(path) == manifest
    assert manifest.catalog_metadata["phiP"] == 180.0
    path.write_text("particle: gamma\nview_cone: 10\n")
    with pytest.raises(ConfigurationError, match="schema_name"):
        read_manifest(path)
    with pytest.raises(MissingInput):
        read_manifest(tmp_path / "none.yml")


def test_the_command_tells_and_writes(
    planned: Planner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grid.ecsv"
    plan = planned(cost={"seconds_per_shower_at_1_tev": 0.3})
    assert main(["make", str(plan), "--output", str(output), "--dry-run"]) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert not output.exists()
    assert main(["make", str(plan), "--output", str(output), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["showers"]) == (12, 10_000)
    assert told["estimate"]["bytes"] is None
    assert main(["command", str(output), "3"]) == 0
    assert "run_000003.h5" in capsys.readouterr().out
    assert main(["command", str(output), "99"]) == 101
    assert main(["make", str(tmp_path / "nope")]) == 105
    assert "ERROR: dpps-simpipe-plan: " in capsys.readouterr().err
    assert main(["back-ends"]) == 0
    assert "dpps-simpipe: ready" in capsys.readouterr().out
