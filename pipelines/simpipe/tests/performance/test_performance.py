"""The performance of an array: a reduced case of the whole campaign, and the curves of known events."""

import contextlib
import io
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tables
from astropy import units as u
from astropy.table import QTable
from dpps_simpipe.performance.campaign import POPULATIONS, Campaign
from dpps_simpipe.performance.command import main
from dpps_simpipe.performance.curves import CENTRAL_DEG, background_rate, effective_area, resolution_curves
from dpps_simpipe.performance.events import Events, Thrown
from dpps_simpipe.performance.report import read_reference
from dpps_simpipe.performance.steps import FailedStep, Steps

from dpps.domain.errors import DamagedFile, InvalidInput
from dpps.domain.steps import ConfigurationError

ROOT = Path(__file__).parents[4]
CONFIGURATIONS = ROOT / "workflows" / "configurations"
REFERENCE = ROOT / "pipelines/datapipe/src/dpps_datapipe/resources/prod5_north_20deg.ecsv"
EDGES = np.array([0.1, 1.0, 10.0])


def in_this_process(words: Sequence[str]) -> tuple[int, str]:
    """Run DataPipe's command without starting an interpreter for each step."""
    from dpps_datapipe.command import main as datapipe

    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = datapipe(words)
    return code, said.getvalue()


#: In the reduced case one simulated population stands for another: simulations are the dear part.
STAND_IN = {"gamma-diffuse": "gamma", "proton": "proton-training", "electron": "proton-training"}


def copy_as_electrons(source: Path, output: Path) -> None:
    """Copy simulated events, and call their primaries electrons."""
    shutil.copyfile(source, output)
    with tables.open_file(output, "a") as file:
        showers = file.root.simulation.event.subarray.shower
        electrons = np.ones(len(showers), dtype=showers.coldtypes["true_shower_primary_id"])
        showers.modify_column(colname="true_shower_primary_id", column=electrons)


class Runner:
    """Runs DataPipe here; what stands in for another population is copied."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def __call__(self, words: Sequence[str]) -> tuple[int, str]:
        output = Path(words[list(words).index("--output") + 1])
        name = output.name.removeprefix("unfinished_").split("_")[0].split(".")[0]
        if words[0] == "process" and name in STAND_IN:
            copy = copy_as_electrons if name == "electron" else shutil.copyfile
            copy(self.work / "events" / f"{STAND_IN[name]}_0001.h5", output)
            return 0, ""
        if words[0] == "apply-models" and name == "electron":
            copy_as_electrons(self.work / "analysis_0001" / "proton.dl2.h5", output)
            return 0, ""
        return in_this_process(words)


def events(number: int = 4000, seed: int = 1) -> Events:
    """Events whose effective area, resolutions and rate are known."""
    random = np.random.default_rng(seed)
    thrown = Thrown(
        showers=4 * number, energy_min_tev=0.1, energy_max_tev=10.0, spectral_index=-2.0,
        area_m2=1e6, solid_angle_sr=2.0 * math.pi * (1.0 - math.cos(math.radians(CENTRAL_DEG))),
    )  # fmt: skip
    energy = 1.0 / random.uniform(1.0 / 10.0, 1.0 / 0.1, number)
    return Events(
        thrown=thrown,
        true_energy_tev=energy,
        energy_tev=energy * random.normal(1.05, 0.1, number),
        error_deg=0.1 * np.sqrt(-2.0 * np.log(random.uniform(size=number))),
        offset_deg=np.zeros(number),
        gammaness=np.ones(number),
        multiplicity=np.full(number, 3),
        is_valid=np.ones(number, dtype=bool),
    )


@pytest.fixture
def small_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reference configurations with small forests, and software versions looked up once."""
    from ctapipe.core import provenance

    monkeypatch.setattr(provenance, "_get_python_packages", cache(provenance._get_python_packages))
    folder = tmp_path / "configurations"
    folder.mkdir()
    for path in CONFIGURATIONS.glob("*.yaml"):
        text = path.read_text().replace("n_estimators: 100", "n_estimators: 4")
        (folder / path.name).write_text(text.replace("n_cross_validations: 5", "n_cross_validations: 2"))
    return folder


@pytest.mark.filterwarnings("ignore:Could not read reference metadata")  # of a model: it has none
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # pyirf, where nothing was thrown
def test_the_whole_campaign_in_a_reduced_case(
    tmp_path: Path, small_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        *("--work", str(tmp_path / "work"), "--output", str(tmp_path / "result"), "--batches", "1"),
        *("--configurations", str(small_models), "--reference", str(REFERENCE)),
        *(
            "--part",
            "0.007",
            "--energy-min",
            "0.5",
            "--energy-max",
            "1.5",
            "--core-radius",
            "120",
            "--seed",
            "3",
        ),
    ]
    assert main(words, run=Runner(tmp_path / "work")) == 0
    told = capsys.readouterr()
    # So few showers bear no response, and the bins are named.
    assert "response: refused" in told.out
    summary = json.loads((tmp_path / "result" / "performance.json").read_text())
    assert summary["events"]["gamma"] >= 8
    assert summary["campaign"]["seed"] == 3
    assert "distinct showers" in summary["refusal"]
    table = QTable.read(tmp_path / "result" / "performance.ecsv", format="ascii.ecsv")
    assert table["effective_area_events"].sum() == summary["events"]["gamma, selected"]
    above = table["energy_min"] > 1 * u.TeV
    thrown = math.pi * 120.0**2 * u.m**2
    assert np.all(table["triggered_area"][above & np.isfinite(table["triggered_area"])] <= thrown * 2)
    assert "CC BY 4.0" in table.meta["attribution"]
    assert (tmp_path / "result" / "performance.png").stat().st_size > 10_000

    def fails(words: Sequence[str]) -> tuple[int, str]:
        return (106, "again refused") if words[0] == "compute-irf" else (1, "nothing is made twice")

    assert main(words, run=fails) == 0
    assert main([*words, "--seed", "4"], run=fails) == ConfigurationError.exit_code


def test_the_effective_area_is_the_part_of_the_thrown_showers() -> None:
    curve = effective_area(events(), np.ones(4000, dtype=bool), EDGES)
    assert curve.events.sum() == 4000
    assert curve.value == pytest.approx([2.5e5, 2.5e5], rel=0.15)
    assert abs(curve.value[1] - 2.5e5) < 4 * curve.error[1]
    outside = effective_area(events(), np.ones(4000, dtype=bool), np.array([0.05, 1.0, 100.0]))
    assert np.isnan(outside.value).all()


def test_resolutions_are_those_the_events_were_drawn_with() -> None:
    curves = resolution_curves(events(), np.ones(4000, dtype=bool), EDGES, np.random.default_rng(2))
    expected = {
        "angular_resolution": 0.1 * math.sqrt(-2.0 * math.log(0.32)),
        "energy_bias": 0.05,
        "energy_resolution": 0.0994,
    }
    for name, value in expected.items():
        curve = curves[name]
        assert np.all(np.abs(curve.value - value) < 5 * curve.error)
        assert np.all(curve.error < 0.2 * max(value, 0.05))
    few = resolution_curves(events(12), np.arange(12) < 5, EDGES, np.random.default_rng(2))
    assert np.isnan(few["energy_bias"].value).all()


def test_the_background_rate_is_flux_times_area() -> None:
    def spectrum(energy: u.Quantity) -> u.Quantity:
        return 1e-5 * energy.to_value(u.TeV) ** -2.7 / (u.TeV * u.m**2 * u.s * u.sr)

    found = events()
    same = replace(found, energy_tev=found.true_energy_tev)
    curve = background_rate([(same, np.ones(4000, dtype=bool), spectrum)], EDGES)
    low, high = EDGES[:-1], EDGES[1:]
    integral = 1e-5 / 1.7 * (low**-1.7 - high**-1.7)
    assert np.all(np.abs(curve.value - 0.25 * 1e6 * integral) < 5 * curve.error)
    empty = background_rate([(same, np.zeros(4000, dtype=bool), spectrum)], EDGES)
    assert np.all(empty.value == 0.0)
    assert np.isnan(empty.error).all()


def test_thrown_showers_are_counted_by_energy() -> None:
    for index in (-1.0, -1.5, -2.0):
        thrown = Thrown(
            showers=1000, energy_min_tev=0.1, energy_max_tev=10.0, spectral_index=index,
            area_m2=1.0, solid_angle_sr=0.0,
        )  # fmt: skip
        assert thrown.between(0.01, 100.0) == pytest.approx(1000)
        assert thrown.between(0.2, 0.2001) == pytest.approx(1e-4 * float(thrown.density(np.array(0.20005))))
    assert thrown.between(20.0, 30.0) == 0.0


@pytest.mark.parametrize("wrong", [{"batches": 0}, {"batches": 1000}, {"part": 0.0}, {"part": 1.1}])
def test_a_wrong_campaign_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        Campaign(**{"seed": 1, "batches": 1, **wrong})  # type: ignore[arg-type] # the point of the test


def test_runs_of_all_populations_have_numbers_of_their_own() -> None:
    campaign = Campaign(seed=1, batches=999)
    runs = [campaign.run_description(one, batch)["run"] for one in POPULATIONS for batch in (1, 999)]
    assert len(set(runs)) == len(runs)


def test_a_failed_step_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    steps = Steps(configurations=tmp_path, run=lambda _: (105, "ERROR: gone"), tell=lambda _: None)
    with pytest.raises(FailedStep, match="merge ended with 105: ERROR: gone"):
        steps.make("merge", "", ["a.h5"], tmp_path / "b.h5")
    assert not (tmp_path / "b.h5").exists()


def test_a_wrong_reference_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "curves.ecsv"
    QTable({"energy_min": [1.0] * u.TeV, "energy_max": [2.0] * u.TeV}).write(path, format="ascii.ecsv")
    with pytest.raises(DamagedFile, match="effective_area"):
        read_reference(path)
