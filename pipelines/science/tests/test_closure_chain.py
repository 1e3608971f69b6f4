"""A reduced case of the closure: from simulations to pulls by the code that measures ten nights."""

import contextlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from astropy.table import Table
from dpps_science.closure import __main__ as closure
from gammapy.data import Observation

from dpps.domain.steps import StepError

ROOT = Path(__file__).parents[3]
NIGHT = ROOT / "workflows" / "productions" / "crab_night"

PLAN = """\
production: reduced-closure
site: North
array_layout_name: CTAO-North-LST
model_version: 1.2.0
first_run: {first_run}
primaries:
  - {{primary: gamma, energy_tev: [0.4, 5], spectral_index: -1.1, core_scatter_max_m: 300,
     view_cone_deg: [0, 0.75], showers_per_run: {gammas}, cores_per_shower: 2,
     statistics: {{total_showers: {gammas}}}}}
  - {{primary: proton, energy_tev: [0.8, 10], spectral_index: -2.0, core_scatter_max_m: 150,
     view_cone_deg: [0, 1], showers_per_run: 8, cores_per_shower: 4,
     statistics: {{total_showers: 8}}}}
pointings: {{zenith_deg: [20], azimuth_deg: [104], nsb_rate: [0.24]}}
"""


def _programs() -> dict[str, Callable[[Sequence[str]], int]]:
    from dpps_datapipe.command import main as datapipe
    from dpps_science.command import main as science
    from dpps_simpipe.command import main as simpipe
    from dpps_simpipe.planning.command import main as plan

    named = {"dpps-simpipe": simpipe, "dpps-simpipe-plan": plan}
    return {**named, "dpps-datapipe": datapipe, "dpps-science": science}


class InThisProcess:
    """Runs the programs here: an interpreter for each of twenty steps costs more than the steps."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def run(self, program: str, *words: object, cwd: Path) -> None:
        """As `Commands.run`."""
        self.tell(f"{program} {words[0]}")
        with contextlib.chdir(cwd):
            code = _programs()[program]([str(word) for word in words])
        if code:
            raise StepError(f"{program} {words[0]} ended with {code}")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Crab night, shorter and brighter, with few simulations and small forests."""
    from ctapipe.core import provenance
    from dpps_simpipe.planning.command import main as plan

    monkeypatch.setattr(provenance, "_get_python_packages", cache(provenance._get_python_packages))
    configurations = tmp_path / "workflows" / "configurations"
    configurations.mkdir(parents=True)
    for path in (ROOT / "workflows" / "configurations").glob("*.yaml"):
        text = path.read_text().replace("n_estimators: 100", "n_estimators: 4")
        (configurations / path.name).write_text(
            text.replace("n_cross_validations: 5", "n_cross_validations: 2")
        )
    folder = tmp_path / "workflows" / "productions" / "night"
    folder.mkdir(parents=True)
    for number, (name, gammas) in enumerate({"models": 20, "response": 120}.items()):
        described = folder / f"{name}.plan.yaml"
        described.write_text(PLAN.format(first_run=301 + 2 * number, gammas=gammas))
        assert plan(["make", str(described), "--output", str(folder / f"{name}.runs.ecsv")]) == 0
    document: dict[str, Any] = yaml.safe_load((NIGHT / "night.yaml").read_text())
    document["source"] |= {"energy_min": "500 GeV", "energy_max": "5 TeV", "core_radius": "300 m"}
    document["source"]["spectrum"]["amplitude"] = "2.83e-9 cm-2 s-1 TeV-1"
    document["background"]["fraction"] = 1e-5
    document["blocks"] = [{**block, "duration": "2 s"} for block in document["blocks"]]
    (folder / "night.yaml").write_text(yaml.safe_dump(document))
    (folder / "selection.yaml").write_text((NIGHT / "selection.yaml").read_text())
    response = yaml.safe_load((NIGHT / "irf.yaml").read_text())
    response["IrfLimits"] |= {
        "claimed_energy_min": "0.6 TeV",
        "claimed_energy_max": "4 TeV",
        "max_relative_error": 0.5,
    }
    for bins, kind in (("DefaultTrueEnergyBins", "true"), ("DefaultRecoEnergyBins", "reco")):
        response[bins][f"{kind}_energy_n_bins_per_decade"] = 2
    (folder / "irf.yaml").write_text(yaml.safe_dump(response))
    return folder


def _check_event_lists(folder: Path, blocks: int) -> None:
    """Raw data of each block are an event list that science tools read, with its times and its response."""
    lists = sorted(folder.glob("OBSID*.fits.gz"))
    assert len(lists) == blocks
    for path in lists:
        observation = Observation.read(path)
        assert len(observation.events.table) > 0
        assert 1.0 < observation.gti.time_sum.to_value("s") <= 2.1
        assert observation.observation_live_time_duration <= observation.gti.time_sum
        pointing = observation.get_pointing_icrs(observation.tmid)
        assert abs(pointing.dec.deg - 22.0) < 1.0
        for response in (observation.aeff, observation.edisp):
            assert np.nanmax(response.quantity.value) > 0.0


def _check_records(output: Path) -> None:
    """Every step of a block has left its record, which names what it made."""
    for number in ("456", "457"):
        block = f"OBSID0000000002000000{number}"
        made = {
            f"observed/seed00007/{block}.dl2.provenance.log": f"{block}.dl2.h5",
            f"nights/seed00007/{block}.h5.provenance.log": f"{block}.h5",
            f"nights/seed00007/{block}.dl3.provenance.log": f"{block}.fits.gz",
            "nights/seed00007/spectrum.provenance.log": "spectrum.ecsv",
        }
        for record, product in made.items():
            (activity,) = json.loads((output / record).read_text())
            assert product in {Path(one["url"]).name for one in activity["output"]}
            assert activity["config_sha256"]
            assert all(one["sha256"] for one in activity["input"])


@pytest.mark.timeout(1200)  # the whole chain, on cores that other tests share
@pytest.mark.verifies_usecase("UC-000-4")
@pytest.mark.filterwarnings("ignore:Could not read reference metadata")  # of a model: it has none
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # pyirf, where nothing was thrown
def test_a_night_comes_back_with_the_spectrum_that_was_put_in(
    night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(closure, "Commands", InThisProcess)
    output = tmp_path / "closure"
    words = ["--night", str(night), "--output", str(output), "--seeds", "1", "--first-seed", "7"]
    assert closure.main(words) == 0
    table = Table.read(output / "closure.ecsv", format="ascii.ecsv")
    assert table["seed"].tolist() == [7]
    assert table.meta["injected"]["index"] == 2.62
    assert abs(table["amplitude_pull"][0]) < 5
    assert abs(table["index_pull"][0]) < 5
    assert table["excess"][0] > 20
    assert (output / "closure.png").is_file()
    _check_event_lists(output / "nights" / "seed00007", blocks=2)
    _check_records(output)
    # Given again, nothing is made twice.
    capsys.readouterr()
    assert closure.main(words) == 0
    assert "dpps-" not in capsys.readouterr().err
