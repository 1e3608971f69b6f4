"""DataPipe's CWL from observation block to event list, on synthetic and toy events."""

import json
import math
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from astropy.io import fits

from dpps.testing.cwl_runs import CwlRun, cwl_file, product_contents, program_path, run_cwl, toy_streams

pytestmark = pytest.mark.pipelines

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / "workflows"
CONFIGURATIONS = WORKFLOWS / "configurations"
PROGRAMS = REPOSITORY / ".envs" / "pipelines" / "bin"
N_TOY_EVENTS = 3
#: Table of a cross-validation.
VALIDATED = "/cv_predictions/LST_LST_LSTCam"


@pytest.fixture(scope="module")
def search_path() -> str:
    if not (PROGRAMS / "dpps-datapipe").exists():
        pytest.skip("the pipelines environment is not installed: run `make setup`")
    return program_path(PROGRAMS)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory, search_path: str) -> Path:
    """Synthetic simulations and an observation: see ``dpps_datapipe.testing``."""
    folder = tmp_path_factory.mktemp("synthetic")
    python = PROGRAMS / "python"
    subprocess.run([str(python), "-m", "dpps_datapipe.testing", str(folder)], check=True)
    reference = yaml.safe_load((CONFIGURATIONS / "compute_irf.yaml").read_text(encoding="utf-8"))
    changes = yaml.safe_load((folder / "irf.yaml").read_text(encoding="utf-8"))
    merged = {**reference, **{name: reference.get(name, {}) | changes[name] for name in changes}}
    (folder / "irf.yaml").write_text(yaml.safe_dump(merged), encoding="utf-8")
    return folder


def _configuration(name: str) -> dict[str, str]:
    return cwl_file(CONFIGURATIONS / f"{name}.yaml")


def _small(name: str, folder: Path) -> dict[str, str]:
    """Give a reference configuration of a training with small forests and two folds."""
    text = (CONFIGURATIONS / f"{name}.yaml").read_text(encoding="utf-8")
    text = text.replace("n_estimators: 100", "n_estimators: 5")
    path = folder / f"{name}.yaml"
    path.write_text(text.replace("n_cross_validations: 5", "n_cross_validations: 2"), encoding="utf-8")
    return cwl_file(path)


def _done(run: CwlRun) -> CwlRun:
    assert run.exit_code == 0, run.log
    return run


def _records(path: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return records


@pytest.fixture(scope="module")
def models(synthetic: Path, tmp_path_factory: pytest.TempPathFactory, search_path: str) -> Mapping[str, Any]:
    """Models of the reference configurations, by job files that say no more than the published ones."""
    folder = tmp_path_factory.mktemp("models")
    tools = WORKFLOWS / "tools"

    def run(tool: str, name: str, order: Mapping[str, object]) -> CwlRun:
        return _done(run_cwl(tools / f"{tool}.cwl", order, folder / name, search_path))

    energy = run(
        "train_energy_model",
        "energy",
        {
            # Of single images, for the single telescope below too.
            "config": _small("train_energy_model_mono", folder),
            "gamma_events": cwl_file(synthetic / "gamma.train.h5"),
        },
    )
    applied = {
        particle: run(
            "apply_models",
            particle,
            {
                "config": _configuration("apply_models"),
                "events": cwl_file(synthetic / f"{particle}.train.h5"),
                "models": [cwl_file(energy.path("reco_model"))],
                "output_filename": f"{particle}.h5",
            },
        )
        for particle in ("gamma", "proton")
    }
    gammaness = run(
        "train_gammaness_model",
        "gammaness",
        {
            "config": _small("train_gammaness_model", folder),
            "gamma_events": cwl_file(applied["gamma"].path("applied_events")),
            "background_events": cwl_file(applied["proton"].path("applied_events")),
        },
    )
    displacement = run(
        "train_disp_model",
        "displacement",
        {
            "config": _small("train_disp_model_mono", folder),
            "gamma_events": cwl_file(applied["gamma"].path("applied_events")),
        },
    )
    return {"energy": energy, "gammaness": gammaness, "displacement": displacement}


@pytest.fixture(scope="module")
def response(synthetic: Path, tmp_path_factory: pytest.TempPathFactory, search_path: str) -> CwlRun:
    """Event selection and response of an event type; without electrons."""
    folder = tmp_path_factory.mktemp("response")

    def of_type(configuration: Path) -> dict[str, str]:
        content = yaml.safe_load(configuration.read_text(encoding="utf-8"))
        query = content["DL2EventPreprocessor"]["DL2EventQualityQuery"]["quality_criteria"]
        query.append(["three telescopes or more", "HillasReconstructor_telescopes.sum(axis=1) >= 3"])
        path = folder / configuration.name
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return cwl_file(path)

    simulations = {"gammas": cwl_file(synthetic / "gamma.h5"), "protons": cwl_file(synthetic / "proton.h5")}
    order = {
        "event_types": ["three-or-more"],
        "optimize_configs": [of_type(CONFIGURATIONS / "select_percentiles.yaml")],
        "irf_configs": [of_type(synthetic / "irf.yaml")],
        **{f"{name}_{use}": path for name, path in simulations.items() for use in ("optimize", "irf")},
    }
    document = WORKFLOWS / "workflows" / "irf_by_event_type.cwl"
    return _done(run_cwl(document, order, folder, search_path))


def _only(run: CwlRun, output: str) -> Path:
    """Give the one file of an output that is a list."""
    (entry,) = run.outputs[output]
    return Path(entry["path"])


@pytest.mark.verifies_usecase("UC-130-1.3")
def test_models_are_trained_and_say_with_what(models: Mapping[str, CwlRun]) -> None:
    for run in models.values():
        assert run.path("reco_model").stat().st_size > 0
        (record,) = _records(run.path("provenance_log"))
        assert record["status"] == "completed"
        assert record["system"]["ctapipe_version"]
        assert len(record["config_sha256"]) == 64
        assert all(len(entry["sha256"]) == 64 for entry in record["input"])
    assert {run.path("reco_model").name for run in models.values()} == {
        "energy_reco_model.pkl",
        "gammaness_reco_model.pkl",
        "disp_reco_model.pkl",
    }


def _cross_validation(models: Mapping[str, CwlRun], name: str, *columns: str) -> list[list[Any]]:
    """Give columns of what a model said of events that it was not trained on."""
    path = models[name].path("cross_validation")
    found = product_contents(PROGRAMS, path, *(f"{VALIDATED}:{column}" for column in columns))
    # One model for each kind of telescope: the array has one.
    assert set(found.rows) == {VALIDATED}
    assert found.rows[VALIDATED] > 1000
    return [found.columns[f"{VALIDATED}:{column}"] for column in columns]


@pytest.mark.verifies_usecase("UC-130-1.3.1")
def test_energies_are_predicted(models: Mapping[str, CwlRun]) -> None:
    predicted, true = _cross_validation(models, "energy", "ExtraTreesRegressor_energy", "truth")
    deviations = sorted(abs(math.log(one / other)) for one, other in zip(predicted, true, strict=True))
    assert deviations[len(deviations) // 2] < 0.3


@pytest.mark.verifies_usecase("UC-130-1.3.2")
def test_gammas_are_told_from_protons(models: Mapping[str, CwlRun]) -> None:
    scores, truth = _cross_validation(models, "gammaness", "ExtraTreesClassifier_prediction", "truth")
    means = [
        statistics.mean(score for score, kind in zip(scores, truth, strict=True) if kind == one)
        for one in (0, 1)
    ]
    assert abs(means[0] - means[1]) > 0.3, means


@pytest.mark.verifies_usecase("UC-130-1.3.3")
def test_displacements_are_predicted(models: Mapping[str, CwlRun]) -> None:
    predicted, true = _cross_validation(models, "displacement", "disp_parameter", "truth")
    same = [one * other > 0.0 for one, other in zip(predicted, true, strict=True)]
    assert statistics.mean(same) > 0.6


@pytest.mark.verifies_usecase("UC-130-1.9")
def test_cuts_are_optimised_in_bins_of_energy(synthetic: Path, tmp_path: Path, search_path: str) -> None:
    """With the reference configuration, for the best sensitivity."""
    order = {
        "config": _configuration("optimize_event_selection"),
        "gammas": cwl_file(synthetic / "gamma.h5"),
        "protons": cwl_file(synthetic / "proton.h5"),
    }
    run = _done(run_cwl(WORKFLOWS / "datapipe" / "optimize.cwl", order, tmp_path, search_path))
    assert run.path("event_selection").name == "event_selection.fits"
    assert run.path("provenance_log").name == "optimize_event_selection.provenance.log"
    with fits.open(run.path("event_selection")) as hdus:
        cuts = {name: hdus[name].data for name in ("GH_CUTS", "RAD_MAX", "MULTIPLICITY_CUTS")}
        for table in cuts.values():
            assert len(table) > 15
            assert (table["low"] < table["center"]).all()
            assert (table["high"][:-1] == table["low"][1:]).all()
        assert ((cuts["GH_CUTS"]["cut"] > 0.0) & (cuts["GH_CUTS"]["cut"] < 1.0)).all()
        assert ((cuts["RAD_MAX"]["cut"] > 0.0) & (cuts["RAD_MAX"]["cut"] <= 0.5)).all()
        assert set(cuts["MULTIPLICITY_CUTS"]["cut"]) <= {2.0, 3.0, 4.0}


@pytest.mark.verifies_usecase("UC-130-1.6")
def test_selection_and_response_of_an_event_type_come_with_a_check(response: CwlRun) -> None:
    names = {_only(response, output).name for output in ("event_selections", "irfs", "metrics")}
    kinds = ("event_selection", "irf", "performance")
    assert names == {f"three-or-more.{kind}.fits" for kind in kinds}
    check = json.loads(_only(response, "irf_checks").read_text(encoding="utf-8"))
    assert check["accepted"] is True
    with fits.open(_only(response, "irfs")) as hdus:
        area = hdus["EFFECTIVE AREA"]
        assert area.header["EVTYPE"] == "three-or-more"
        on_axis = area.data["EFFAREA"][0][0]
        assert 1e4 < on_axis.max() < 8e5, "square metres; 8e5 were put in at most, before the selection"
        for name in ("ENERGY DISPERSION", "PSF", "BACKGROUND"):
            assert hdus[name].data[0][-1].max() > 0.0, name
    steps = ("optimize", "compute_irf", "check_irf")
    assert all(_records(_only(response, f"{step}_provenance_logs")) for step in steps)


@pytest.mark.verifies_usecase("UC-130-1.6")
def test_response_without_statistics_ends_the_workflow(
    synthetic: Path, response: CwlRun, tmp_path: Path, search_path: str
) -> None:
    order = {
        "config": _configuration("compute_irf"),
        "gammas": cwl_file(synthetic / "gamma.h5"),
        "protons": cwl_file(synthetic / "proton.h5"),
        "event_selection": cwl_file(_only(response, "event_selections")),
    }
    run = run_cwl(WORKFLOWS / "tools" / "compute_irf.cwl", order, tmp_path, search_path)
    assert run.exit_code != 0
    assert "irf" not in run.outputs or run.outputs["irf"] is None
    assert "distinct showers" in run.log
    assert "exited with status: 106" in run.log


@pytest.mark.verifies_usecase("UC-130-1.4")
@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_showers_become_an_event_list_with_an_index(
    synthetic: Path, models: Mapping[str, CwlRun], response: CwlRun, tmp_path: Path, search_path: str
) -> None:
    order = {
        "events": cwl_file(synthetic / "observation.h5"),
        "models": [
            cwl_file(models[name].path("reco_model")) for name in ("energy", "gammaness", "displacement")
        ],
        "models_config": _configuration("apply_models"),
        "event_selection": cwl_file(_only(response, "event_selections")),
        "irfs": [cwl_file(_only(response, "irfs"))],
        "observation": cwl_file(synthetic / "observation.yaml"),
    }
    document = WORKFLOWS / "workflows" / "workflow_dl2_to_dl3.cwl"
    run = _done(run_cwl(document, order, tmp_path / "dl3", search_path))
    tables = {
        "energy": "/dl2/event/subarray/energy/ExtraTreesRegressor:ExtraTreesRegressor_energy",
        "gammaness": "/dl2/event/subarray/particle_type/ExtraTreesClassifier:ExtraTreesClassifier_prediction",
        "direction": "/dl2/event/subarray/geometry/disp:disp_alt",
    }
    found = product_contents(PROGRAMS, run.path("dl2"), *tables.values())
    events = found.rows["/dl1/event/subarray/trigger"]
    for kind, column in tables.items():
        known = [value for value in found.columns[column] if value is not None]
        assert len(found.columns[column]) == events, kind
        assert len(known) > 0.9 * events, kind
    (record,) = _records(run.path("dl3_provenance_log"))
    assert {entry["role"] for entry in record["input"]} == {
        "Event data",
        "event-selection",
        "observation",
        "response",
    }
    index = {"dl3_files": [cwl_file(run.path("dl3"))]}
    indexed = _done(run_cwl(WORKFLOWS / "tools" / "index_dl3.cwl", index, tmp_path / "index", search_path))
    names = {entry["basename"] for entry in indexed.outputs["dl3_folder"]["listing"]}
    assert names == {"events.dl3.fits.gz", "obs-index.fits.gz", "hdu-index.fits.gz"}


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory, search_path: str) -> list[Path]:
    """Streams of two telescopes of one observation block."""
    assert search_path
    return toy_streams(PROGRAMS, tmp_path_factory.mktemp("streams"), seed=31, events=N_TOY_EVENTS)[:2]


@pytest.mark.verifies_usecase("UC-130-1.2.2")
def test_stream_of_one_telescope_becomes_showers(
    models: Mapping[str, CwlRun], streams: list[Path], tmp_path: Path, search_path: str
) -> None:
    order = {
        "processing_config": _configuration("process_events"),
        "models_config": _configuration("apply_models"),
        "dl0": cwl_file(streams[0]),
        "models": [cwl_file(models[name].path("reco_model")) for name in ("energy", "displacement")],
    }
    document = WORKFLOWS / "workflows" / "process_single_telescope.cwl"
    run = _done(run_cwl(document, order, tmp_path / "run", search_path))
    (record,) = _records(run.path("dl2_provenance_log"))
    assert {Path(entry["url"]).name for entry in record["input"]} >= {
        "energy_reco_model.pkl",
        "disp_reco_model.pkl",
        "events.dl1.h5",
    }
    rows = product_contents(PROGRAMS, run.path("dl2")).rows
    assert rows["/dl2/event/subarray/geometry/disp"] == N_TOY_EVENTS
    assert rows["/dl2/event/subarray/energy/ExtraTreesRegressor"] == N_TOY_EVENTS
