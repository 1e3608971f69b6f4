"""Limits of a production from the events of a pilot run."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from astropy import units as u
from astropy.table import QTable
from ctapipe.io import write_table
from dpps_simpipe.instrument import load_array, subarray_description
from dpps_simpipe.planning.command import main
from dpps_simpipe.planning.limits import TriggeredEvents, derive_limits, read_limits
from dpps_simpipe.planning.pilot import read_pilot_events
from dpps_simpipe.planning.plan import Statistics
from dpps_simpipe.planning.statistics import read_pilot, required_showers, spectrum_fraction

from dpps.domain.steps import InsufficientStatistics

NUMBER = 4000
THROWN_M = 800.0


def write_pilot(path: Path, primary: int = 0, cone_deg: float = 4.0, **columns: Any) -> Path:
    """Write the truth of a pilot in ctapipe's layout: vertical cores up to 500 m, offsets up to 2 degrees."""
    random = np.random.default_rng(1)
    distance = 500.0 * np.sqrt(random.uniform(size=NUMBER))
    around = random.uniform(0.0, 2.0 * math.pi, NUMBER)
    offset = np.zeros(NUMBER) if cone_deg == 0 else 2.0 * np.sqrt(random.uniform(size=NUMBER))
    showers = QTable(
        {
            "true_energy": 0.05 * 100.0 ** random.uniform(size=NUMBER) * u.TeV,
            # Offsets in altitude alone, of showers near the zenith.
            "true_alt": (89.999 - offset) * u.deg,
            "true_az": np.zeros(NUMBER) * u.deg,
            "true_core_x": distance * np.cos(around) * u.m,
            "true_core_y": distance * np.sin(around) * u.m,
            "true_shower_primary_id": np.full(NUMBER, primary),
        }
    )
    runs = QTable(
        {
            "energy_range_min": [0.02] * u.TeV,
            "energy_range_max": [5.0] * u.TeV,
            "spectral_index": [-1.0] * u.one,
            "n_showers": [4000],
            "shower_reuse": [2],
            "max_scatter_range": [THROWN_M] * u.m,
            "max_viewcone_radius": [cone_deg] * u.deg,
            "max_alt": [math.radians(89.999)] * u.rad,
            "max_az": [0.0] * u.rad,
        }
    )
    for name, values in columns.items():
        table = runs if name in runs.colnames else showers
        table[name] = values
    write_table(showers, path, "/simulation/event/subarray/shower")
    write_table(runs, path, "/configuration/simulation/run")
    subarray_description(load_array("ctao-north-lst")).to_hdf(path)
    return path


def limits(path: Path, output: Path, fraction: float = 0.99) -> int:
    return main(["limits", str(path), "--fraction", str(fraction), "--output", str(output)])


@pytest.mark.verifies_usecase("UC-150-3.1")
def test_limits_of_a_pilot_narrow_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "limits.ecsv"
    assert limits(write_pilot(tmp_path / "pilot.h5"), table) == 0
    (one,) = read_limits(table)
    assert (one.primary, one.array_name) == ("gamma", "ctao-north-lst")
    assert one.energy_min_tev == pytest.approx(0.05 * 100.0**0.01, rel=0.02)
    assert one.core_distance_max_m == pytest.approx(500.0 * math.sqrt(0.99), rel=0.005)
    assert one.view_cone_max_deg == pytest.approx(2.0 * math.sqrt(0.99), rel=0.005)
    plan = tmp_path / "plan.yaml"
    gamma = {
        "primary": "gamma", "energy_tev": [0.01, 100.0], "spectral_index": -2.0, "cores_per_shower": 1,
        "core_scatter_max_m": 1000.0, "view_cone_deg": [0.0, 5.0], "showers_per_run": 1000,
        "statistics": {"total_showers": 1000},
    }  # fmt: skip
    document = {
        "production": "narrowed", "site": "North", "array_layout_name": "CTAO-North-LST",
        "model_version": "1.0.0", "primaries": [gamma], "limits": table.name,
        "pointings": {"zenith_deg": [one.zenith_deg], "azimuth_deg": [0.0], "nsb_rate": [0.24]},
    }  # fmt: skip
    plan.write_text(yaml.safe_dump(document))
    capsys.readouterr()
    assert main(["make", str(plan), "--dry-run", "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    assert point["energy_tev"][0] == pytest.approx(one.energy_min_tev)
    assert point["core_scatter_max_m"] == pytest.approx(one.core_distance_max_m)
    assert point["view_cone_deg"][1] == pytest.approx(one.view_cone_max_deg)


@pytest.mark.verifies_usecase("UC-150-3.1")
def test_fractions_of_a_pilot_plan_what_the_response_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 8000 events at -1, 0.02 to 5 TeV, 4000 trigger from 0.05 TeV on: 4000 / 8000 log(250) / log(100)."""
    files = [write_pilot(tmp_path / name) for name in ("one.h5", "two.h5")]
    table = tmp_path / "pilot.ecsv"
    words = ["pilot", *map(str, files), "--bins-per-decade", "4", "--output", str(table), "--json"]
    assert main(words) == 0
    rows = json.loads(capsys.readouterr().out)["fractions"]
    assert rows[0]["fraction"] == 0.0
    true = 0.5 * math.log(250.0) / math.log(100.0)
    for row in rows[2:]:
        assert row["measured"] == pytest.approx(true, rel=0.2)
        assert 0.9 * row["measured"] < row["fraction"] < row["measured"]
    assert sum(row["thrown"] for row in rows) == pytest.approx(16000.0)
    source = read_pilot(table)
    wanted = Statistics(relative_error=0.2, pilot=table, energy_tev=(0.2, 5.0), selection_fraction=0.6)
    found = required_showers(wanted, (0.02, 5.0), -1.0, 1, source)
    low, high = found.deciding_bin_tev or (0.0, 0.0)
    expected = found.showers * true * 0.6 * spectrum_fraction((low, high), (0.02, 5.0), -1.0)
    assert np.mean(np.random.default_rng(1).poisson(expected, 10_000) >= 25) >= 0.95


def test_fractions_of_what_is_no_pilot_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gamma = write_pilot(tmp_path / "gamma.h5")
    narrow = write_pilot(tmp_path / "narrow.h5", cone_deg=2.0)
    few = write_pilot(tmp_path / "few.h5", true_energy=np.full(NUMBER, 1.0) * u.TeV)
    table = tmp_path / "pilot.ecsv"
    for words, code, says in (
        ([gamma, narrow], 101, "of another primary, array, pointing or spectrum"),
        ([few], 106, "at most 1 triggered gamma showers"),
        ([gamma, "--confidence", "1"], 101, "confidence"),
        ([tmp_path / "missing.h5"], 105, "not there"),
    ):
        assert main(["pilot", *map(str, words), "--output", str(table)]) == code
        assert says in capsys.readouterr().err
    assert not table.exists()


def test_distances_are_those_across_the_shower(tmp_path: Path) -> None:
    slanted = {"true_alt": np.full(NUMBER, 60.0) * u.deg, "max_alt": [math.radians(60.0)] * u.rad}
    line = {"true_core_x": np.full(NUMBER, 100.0) * u.m, "true_core_y": np.zeros(NUMBER) * u.m}
    pilot = read_pilot_events(write_pilot(tmp_path / "pilot.h5", **slanted, **line))
    assert pilot.events.core_distance_m == pytest.approx(
        np.full(NUMBER, 100.0 * math.sin(math.radians(60.0)))
    )
    assert pilot.events.offset_deg == pytest.approx(np.zeros(NUMBER), abs=1e-5)


@pytest.mark.parametrize(
    ("columns", "fraction", "code", "says"),
    [
        ({}, 0.999, 106, "4000 triggered gamma events"),
        ({}, 1.0, 101, "above 0 and below 1"),
        ({"max_scatter_range": [500.0] * u.m}, 0.99, 106, "within 500|core distance"),
        ({"max_viewcone_radius": [2.0] * u.deg}, 0.99, 106, "view cone"),
        ({"energy_range_min": [0.052] * u.TeV}, 0.99, 106, "energy limit"),
        ({"true_shower_primary_id": np.arange(NUMBER) % 2}, 0.99, 104, "one known primary"),
    ],
)
def test_what_a_pilot_does_not_bear_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, Any],
    fraction: float,
    code: int,
    says: str,
) -> None:
    table = tmp_path / "limits.ecsv"
    assert limits(write_pilot(tmp_path / "pilot.h5", **columns), table, fraction) == code
    said = capsys.readouterr().err
    assert any(one in said for one in says.split("|"))
    assert " — " in said  # the next step
    assert not table.exists()


@pytest.mark.parametrize(("number", "fraction"), [(100, 0.9), (1000, 0.99), (10000, 0.999)])
def test_ten_events_beyond_a_limit_are_ten(number: int, fraction: float) -> None:
    """In binary numbers 100 times 1 - 0.9 is less than 10."""
    values = np.arange(float(number))
    point = {"primary": "gamma", "array_name": "a", "zenith_deg": 20.0, "azimuth_deg": 0.0, "nsb_level": 0.24}
    events = TriggeredEvents(energy_tev=values, core_distance_m=values, offset_deg=values)
    found = derive_limits(events, **point, fraction=fraction)  # type: ignore[arg-type] # texts and numbers
    assert np.sum(values > found.core_distance_max_m) == 10
    fewer = TriggeredEvents(energy_tev=values[1:], core_distance_m=values[1:], offset_deg=values[1:])
    with pytest.raises(InsufficientStatistics, match=f"at least {number} triggered events"):
        derive_limits(fewer, **point, fraction=fraction)  # type: ignore[arg-type] # texts and numbers


def test_a_point_source_has_no_view_cone(tmp_path: Path) -> None:
    table = tmp_path / "limits.ecsv"
    assert limits(write_pilot(tmp_path / "pilot.h5", cone_deg=0.0), table) == 0
    assert read_limits(table)[0].view_cone_max_deg == 0.0


def test_what_is_no_pilot_is_refused(tmp_path: Path) -> None:
    assert limits(tmp_path / "missing.h5", tmp_path / "limits.ecsv") == 105
    text = tmp_path / "text.h5"
    text.write_text("no events")
    assert limits(text, tmp_path / "limits.ecsv") == 104
    empty = tmp_path / "empty.h5"
    write_table(QTable({"x": [1.0]}), empty, "/something")
    assert limits(empty, tmp_path / "limits.ecsv") == 105
