"""Steps around the stock tools: what bad input gets, and what good input leaves."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tables
import yaml
from astropy.io import fits
from dpps_datapipe.provenance import file_checksum
from dpps_datapipe.steps import models as trained
from dpps_datapipe.steps.command_line import named_files
from dpps_datapipe.steps.inputs import Telescope, check_calibration, other_telescopes, read_event_file
from dpps_datapipe.steps.run import translate
from dpps_datapipe.steps.table import STEPS
from dpps_datapipe.testing.__main__ import training_sample
from dpps_datapipe.testing.files import write_simulation
from dpps_datapipe.testing.response import KnownResponse
from dpps_datapipe.testing.showers import draw_events

from dpps.domain.steps import (
    ConfigurationError,
    CorruptedInput,
    InsufficientStatistics,
    MissingInput,
    StepError,
    StorageError,
)

from .conftest import CONFIGURATION, Processed, Synthetic, step

CONFIGURATIONS = sorted(CONFIGURATION.parent.glob("*.yaml"))


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred gammas with image parameters."""
    sample = training_sample("gamma", 21)
    path = tmp_path_factory.mktemp("training") / "gamma.h5"
    return write_simulation(path, sample, draw_events(sample, KnownResponse()), models=False, images=True)


@pytest.fixture(scope="module")
def model(training: Path) -> Path:
    path = training.with_name("energy.pkl")
    quick = training.with_name("quick.yaml")
    quick.write_text(
        "CrossValidator: {n_cross_validations: 2}\n"
        "EnergyRegressor: {model_config: {n_estimators: 5, max_depth: 5, random_state: 0}}\n"
    )
    configurations = (
        "--config",
        str(CONFIGURATION.with_name("train_energy_model.yaml")),
        "--config",
        str(quick),
    )
    files = (
        "--input",
        str(training),
        "--output",
        str(path),
        "--provenance-log",
        str(path.with_suffix(".log")),
    )
    assert step("train-energy-regressor", *configurations, *files) == 0
    return path


def apply(events: Path, model: Path, output: Path) -> int:
    log = ("--provenance-log", str(output.with_suffix(".log")))
    return step(
        "apply-models", "--input", str(events), "--reconstructor", str(model), "--output", str(output), *log
    )


def test_reference_configurations_say_their_version() -> None:
    from ctapipe import __version__

    release = ".".join(__version__.split(".")[:2])
    for path in CONFIGURATIONS:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# Reference configuration "), path.name
        assert f"ctapipe {release}" in " ".join(path.read_text(encoding="utf-8").splitlines()[:3]), path.name


def test_reference_configurations_name_the_same_models() -> None:
    """A response reads what the trainings write."""

    def read(name: str) -> dict[str, dict[str, object]]:
        content: dict[str, dict[str, object]] = yaml.safe_load(
            CONFIGURATION.with_name(f"{name}.yaml").read_text(encoding="utf-8")
        )
        return content

    energy = read("train_energy_model")["TrainEnergyRegressor"]["EnergyRegressor"]["model_cls"]  # type: ignore[index]
    gammaness = read("train_gammaness_model")["TrainParticleClassifier"]["ParticleClassifier"]["model_cls"]  # type: ignore[index]
    for name in ("optimize_event_selection", "select_percentiles", "compute_irf", "compute_irf_point_like"):
        names = read(name)["DL2EventPreprocessor"]
        assert names["energy_reconstructor"] == energy
        assert names["gammaness_classifier"] == gammaness
        criteria = str(names["DL2EventQualityQuery"])
        assert f"{energy}_is_valid" in criteria
        assert f"{gammaness}_is_valid" in criteria


def test_model_keeps_the_versions_it_was_trained_with(model: Path, training: Path, tmp_path: Path) -> None:
    output = tmp_path / "applied.h5"
    assert apply(training, model, output) == 0
    with tables.open_file(output) as file:
        energies = file.root["/dl2/event/subarray/energy/ExtraTreesRegressor"]
        assert energies.nrows == file.root["/dl1/event/subarray/trigger"].nrows > 100
    (record,) = json.loads(output.with_suffix(".log").read_text(encoding="utf-8"))
    assert {Path(entry["url"]).name for entry in record["input"]} >= {training.name, model.name}
    assert all(len(entry["sha256"]) == 64 for entry in (*record["input"], *record["output"]))
    # The events name the model, and the record has the checksum of the file as it is left.
    assert read_event_file(output).models == {"energy/ExtraTreesRegressor": file_checksum(model)}
    (written,) = (entry for entry in record["output"] if Path(entry["url"]).name == output.name)
    assert written["sha256"] == file_checksum(output)
    (trained_record,) = json.loads(model.with_suffix(".log").read_text(encoding="utf-8"))
    checksums = {Path(entry["url"]).name: entry["sha256"] for entry in trained_record["output"]}
    assert checksums[model.name] == file_checksum(model)


@pytest.mark.verifies_usecase("UC-130-1.4")
def test_model_of_another_version_is_refused(
    model: Path,
    training: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = trained.installed_versions()
    monkeypatch.setattr(trained, "installed_versions", lambda: {**now, "ctapipe": "0.99.0"})
    output = tmp_path / "applied.h5"
    assert apply(training, model, output) == 104
    assert "energy.pkl: trained with ctapipe 0.32.0, but 0.99.0 is installed" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.verifies_usecase("UC-130-1.4")
def test_model_of_another_array_is_refused(
    model: Path, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved.h5"
    shutil.copyfile(training, moved)
    with tables.open_file(moved, "r+") as file:
        for row in file.root["/configuration/instrument/subarray/layout"].where("tel_id == 2"):
            row["pos_x"] += 25.0
            row.update()
    output = tmp_path / "applied.h5"
    assert apply(moved, model, output) == 104
    error = capsys.readouterr().err
    assert (
        f"energy.pkl: trained on another array than that of {moved}: telescope 2 stands 25.0 m away" in error
    )
    assert not output.exists()


def test_files_of_another_array_are_not_mixed(
    training: Path, processed: Processed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved.h5"
    shutil.copyfile(training, moved)
    with tables.open_file(moved, "r+") as file:
        for row in file.root["/configuration/instrument/subarray/layout"].where("tel_id == 1"):
            row["tel_description"] = b"SST_ASTRI_CHEC"
            row.update()
    output = tmp_path / "merged.h5"
    assert step("merge", "--output", str(output), str(training), str(moved)) == 104
    assert f"moved.h5: its array is not that of {training}" in capsys.readouterr().err
    assert not output.exists()


def test_truncated_missing_and_foreign_files(
    training: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "applied.h5"
    truncated = tmp_path / "truncated.h5"
    truncated.write_bytes(training.read_bytes()[:20_000])
    assert apply(truncated, model, output) == 104
    assert "truncated.h5: the HDF5 file is truncated or damaged" in capsys.readouterr().err
    assert apply(tmp_path / "nothing.h5", model, output) == 105
    assert "nothing.h5: the file is not there" in capsys.readouterr().err
    foreign = tmp_path / "foreign.h5"
    foreign.write_text("no HDF5")
    assert apply(foreign, model, output) == 104
    broken = tmp_path / "broken.pkl"
    broken.write_bytes(model.read_bytes()[:500])
    assert apply(training, broken, output) == 104
    assert "broken.pkl: the model does not load" in capsys.readouterr().err
    assert not output.exists()


def test_empty_selection_and_wrong_configuration(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "energy.pkl"
    strict = tmp_path / "strict.yaml"
    reference = CONFIGURATION.with_name("train_energy_model.yaml")
    content = yaml.safe_load(reference.read_text(encoding="utf-8"))
    query = content["TrainEnergyRegressor"]["EnergyRegressor"]["QualityQuery"]
    query["quality_criteria"] = [["never", "hillas_intensity > 1e12"]]
    strict.write_text(yaml.safe_dump(content))
    files = ("--input", str(training), "--output", str(output), "--provenance-log", str(tmp_path / "log"))
    assert step("train-energy-regressor", "--config", str(strict), *files) == 106
    assert "gamma.h5: TooFewEvents" in capsys.readouterr().err
    (record,) = json.loads((tmp_path / "log").read_text(encoding="utf-8"))
    assert (record["status"], record["exit_code"]) == ("error", 106)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("TrainEnergyRegressor: {EnergyRegressor: {no_such_option: 1}}\n")
    assert step("train-energy-regressor", "--config", str(wrong), *files) == 101
    assert not output.exists()
    assert step("no-such-step") == 101


def test_response_that_is_refused_is_not_written(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "irf.fits"
    files = {
        "--config": CONFIGURATION.with_name("compute_irf.yaml"),
        "--gamma-file": synthetic.folder / "gamma.h5",
        "--proton-file": synthetic.folder / "proton.h5",
        "--cuts": synthetic.selection,
        "--output": output,
        "--provenance-log": tmp_path / "log",
    }
    words = [word for name, path in files.items() for word in (name, str(path))]
    assert step("compute-irf", *words) == 106
    error = capsys.readouterr().err
    assert "STATISTICS: " in error
    assert "3–4 deg" in error
    assert not output.exists()


def test_background_of_a_response_is_counted(
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fits.open(synthetic.response) as hdus:
        showers = hdus["STATISTICS BACKGROUND"].data["N_SHOWERS"][0]
        rate = hdus["BACKGROUND"].data["BKG"][0]
        assert ((showers > 0) == (rate > 0.0)).all()
        assert 0 < np.count_nonzero(showers) < showers.size
        assert hdus["EFFECTIVE AREA"].header["BKGCLAIM"] is False
    output = Path("irf.fits")
    monkeypatch.chdir(tmp_path)
    words = [
        *("--config", str(CONFIGURATION.with_name("compute_irf.yaml"))),
        *("--config", str(synthetic.folder / "irf.yaml"), "--IrfLimits.claims_background=True"),
        *("--gamma-file", str(synthetic.folder / "gamma.h5")),
        *("--proton-file", str(synthetic.folder / "proton.h5")),
        *("--cuts", str(synthetic.selection), "--output", str(output)),
        *("--provenance-log", str(tmp_path / "log")),
    ]
    assert step("compute-irf", *words) == 106
    error = capsys.readouterr().err
    assert "compute-irf: irf.fits: the response is refused: BACKGROUND: " in error
    assert "bins have no background in the claimed range" in error
    assert not output.exists()


def test_calibration_of_every_telescope_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "calibration.h5"
    with tables.open_file(path, "w") as file:
        group = "/dl1/monitoring/telescope/calibration/camera/coefficients"
        file.create_table(group, "tel_001", description={"n": tables.Int32Col()}, createparents=True)
    check_calibration(path, [1])
    with pytest.raises(MissingInput, match="no calibration coefficients for telescope 2, 5"):
        check_calibration(path, [5, 1, 2])


def test_processing_without_the_calibration_of_a_telescope_is_refused(
    processed: Processed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = tmp_path / "calibration.h5"
    with tables.open_file(calibration, "w") as file:
        group = "/dl1/monitoring/telescope/calibration/camera/coefficients"
        for tel_id in (1, 2, 4):
            file.create_table(
                group, f"tel_{tel_id:03d}", description={"n": tables.Int32Col()}, createparents=True
            )
    stream = next(path for path in processed.hand_over.files if path.name.startswith("TEL003"))
    for events in (processed.dl1, stream):
        output = tmp_path / "out.h5"
        words = ["--input", str(events), "--output", str(output)]
        source = ["--monitoring-source=HDF5MonitoringSource"]
        source += [f"--HDF5MonitoringSource.input_files={calibration}"]
        assert step("process", *words, *source) == 105
        assert "calibration.h5: no calibration coefficients for telescope 3" in capsys.readouterr().err
        assert not output.exists()


def test_arrays_differ_by_kind_place_and_identifier() -> None:
    def telescope(kind: str, x: float) -> Telescope:
        return Telescope(description=kind, position_m=(x, 0.0, 0.0))

    known = {1: telescope("LST", 0.0), 2: telescope("MST", 100.0)}
    assert other_telescopes({1: telescope("LST", 0.5)}, known) == []
    assert other_telescopes(
        {1: telescope("SST", 0.0), 2: telescope("MST", 130.0), 3: telescope("MST", 0.0)}, known
    ) == [
        "telescope 1 is SST, not LST",
        "telescope 2 stands 30.0 m away",
        "telescope 3 (MST) is unknown",
    ]


def test_files_are_found_on_the_command_line_of_a_tool() -> None:
    words = [
        "-i",
        "a.h5",
        "--reconstructor=m.pkl",
        "-r",
        "n.pkl",
        "--log-level",
        "INFO",
        "-o",
        "b.h5",
        "--overwrite",
    ]
    named = named_files(STEPS["apply-models"], words)
    assert [str(path) for path in named.events] == ["a.h5"]
    assert [str(path) for path in named.models] == ["m.pkl", "n.pkl"]
    assert [str(path) for path in named.outputs] == ["b.h5"]
    merged = named_files(STEPS["merge"], ["--single-ob", "-o", "m.h5", "a.h5", "b.h5", "-c", "c.yaml"])
    assert [str(path) for path in merged.events] == ["a.h5", "b.h5"]


def test_errors_of_tools_get_the_codes_of_the_interface() -> None:
    from ctapipe.core import ToolConfigurationError
    from ctapipe.exceptions import InputMissing, TooFewEvents
    from ctapipe.io.hdf5merger import CannotMerge

    kinds: list[tuple[BaseException, type[StepError]]] = [
        (TooFewEvents("few"), InsufficientStatistics),
        (CannotMerge("other"), CorruptedInput),
        (InputMissing("none"), MissingInput),
        (FileNotFoundError("none"), MissingInput),
        (ToolConfigurationError("wrong"), ConfigurationError),
        (UserWarning("File seems to be truncated"), CorruptedInput),
        (ValueError("buffer is smaller than requested size"), CorruptedInput),
        (EOFError(), CorruptedInput),
        (OSError(28, "No space left on device"), StorageError),
        (SystemExit(2), ConfigurationError),
        (ZeroDivisionError("bug"), StepError),
    ]
    for raised, kind in kinds:
        error = translate(raised, [Path("input.h5")])
        assert type(error) is kind
        assert str(raised) in str(error) or not str(raised) or isinstance(raised, SystemExit)
