"""Run descriptions, events of a run, files made from them."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tables
import yaml
from ctapipe.io import EventSource, TableLoader
from dpps_simpipe import __version__, resuming
from dpps_simpipe.command import main
from dpps_simpipe.instrument import load_model
from dpps_simpipe.simulation import production
from dpps_simpipe.simulation.description import Run, is_run_description, load_run
from dpps_simpipe.simulation.events import Simulator, tenth_percentile
from dpps_simpipe.simulation.kinematics import draw_kinematics, random_of_shower
from dpps_simpipe.simulation.production import produce
from dpps_simpipe.source import ShowerSimulationSource

from dpps.domain.errors import Conflict, DamagedFile, InvalidInput, NotFound
from dpps.domain.steps import ConfigurationError, InsufficientStatistics

DESCRIPTION = {
    "dpps_simulation": 1,
    "run": 3,
    "seed": 11,
    "primary": "gamma",
    "showers": 6,
    "energy_min_tev": 0.08,
    "energy_max_tev": 0.3,
    "core_radius_m": 120.0,
    "array": "ctao-north-lst",
    "block_showers": 3,
}


def _write(folder: Path, **changes: object) -> Path:
    path = folder / "run.yaml"
    document = {key: value for key, value in {**DESCRIPTION, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _run(**changes: object) -> Run:
    values = {key: value for key, value in DESCRIPTION.items() if key != "dpps_simulation"}
    return Run(**{**values, **changes})


def test_a_description_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path, energy_max_tev=1)
    run = load_run(path)
    assert (run.run, run.blocks, run.energy_max_tev) == (3, 2, 1.0)
    assert list(run.block(1)) == [3, 4, 5]
    assert is_run_description(path)
    as_json = tmp_path / "run.json"
    as_json.write_text(json.dumps(DESCRIPTION), encoding="utf-8")
    assert load_run(as_json) == _run()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("primary", "neutrino"),
        ("energy_max_tev", 0.01),
        ("energy_min_tev", 1e-4),
        ("energy_max_tev", 1e6),
        ("energy_max_tev", math.nan),
        ("showers", 0),
        ("showers", "many"),
        ("showers", True),
        ("seed", None),
        ("seed", -1),
        ("run", 0),
        ("core_radius_m", -5.0),
        ("core_min_m", 500.0),
        ("spectral_index", 2.0),
        ("view_cone_deg", 90.0),
        ("altitude_deg", 10.0),
        ("array", "hegra"),
        ("reuse", 100),
        ("block_showers", 0),
        ("energy_min", 1.0),
        ("dpps_simulation", 2),
    ],
)
def test_bad_values_are_refused_by_name(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=key):
        load_run(_write(tmp_path, **{key: value}))


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.yaml"):
        load_run(tmp_path / "gone.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("dpps_simulation: [1\n", encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"broken\.yaml"):
        load_run(broken)
    with pytest.raises(NotFound, match=r"none\.ecsv"):
        load_run(_write(tmp_path, atmosphere="none.ecsv")).load_atmosphere()
    assert not is_run_description(tmp_path / "gone.yaml")


def test_kinematics_follow_the_description() -> None:
    run = _run(showers=1, energy_min_tev=0.1, energy_max_tev=10.0, view_cone_deg=3.0, reuse=2, offset_deg=0.5)
    drawn = [draw_kinematics(run, random_of_shower(run, number)) for number in range(2000)]
    energy = np.array([one.energy_tev for one in drawn])
    assert energy.min() >= 0.1
    assert energy.max() <= 10.0
    # dN/dE ~ E^-2: as many showers in each unit of 1/E.
    assert np.median(1 / energy) == pytest.approx(0.5 * (1 / 0.1 + 1 / 10.0), rel=0.06)
    directions = -np.array([one.direction for one in drawn])
    centre = np.array([-math.cos(math.radians(70.5)), 0.0, math.sin(math.radians(70.5))])
    away = np.degrees(np.arccos(np.clip(directions @ centre, -1, 1)))
    assert away.max() <= 3.0 + 1e-6
    assert np.mean(away**2) == pytest.approx(9 / 2, rel=0.08)
    for one in drawn[:50]:
        across = np.linalg.norm(
            np.cross(np.column_stack([one.cores, np.zeros(2)]), np.array(one.direction)), axis=1
        )
        assert across.max() <= 120.0 + 1e-6


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(_run())


def test_events_have_truth_and_signals(simulator: Simulator) -> None:
    found = [event for _, events in simulator.events(range(6)) for event in events]
    assert len(found) >= 4
    for event in found:
        assert event.event_id == (event.thrown.number + 1) * 100
        assert len(event.telescopes) >= 2
        for telescope in event.telescopes:
            total = telescope.true_image.sum()
            assert total == event.true_sums[telescope.tel_id]
            assert telescope.waveform.shape == (1855, 40)
            bright = telescope.true_image >= 10
            measured = telescope.waveform[bright].sum(axis=1)
            assert measured.sum() == pytest.approx(telescope.true_image[bright].sum(), rel=0.35)


def test_a_shower_is_the_same_whatever_was_simulated_before(simulator: Simulator) -> None:
    fresh = Simulator(_run())
    (_, alone), *_ = fresh.events(range(4, 5))
    (_, later), *_ = simulator.events(range(4, 5))
    assert [event.event_id for event in alone] == [event.event_id for event in later]
    for one, other in zip(alone, later, strict=True):
        for left, right in zip(one.telescopes, other.telescopes, strict=True):
            assert np.array_equal(left.waveform, right.waveform)


@pytest.mark.parametrize("count", [1, 2, 11, 12, 137])
def test_start_of_the_traces_is_the_tenth_percentile(count: int) -> None:
    times = np.random.default_rng(count).normal(size=count)
    assert tenth_percentile(times) == np.percentile(times, 10)


def test_photons_of_a_telescope_lie_together(simulator: Simulator) -> None:
    thrown = simulator.throw(0, random_of_shower(simulator.run, 0))
    assert np.all(np.diff(thrown.shower.target) >= 0)
    parts = simulator.photons(thrown, 0)
    assert [len(part) for part in parts] == list(np.bincount(thrown.shower.target, minlength=len(parts)))
    assert np.array_equal(np.concatenate(parts), thrown.shower.photons)


def test_reused_showers_have_different_cores() -> None:
    simulator = Simulator(_run(reuse=3, energy_min_tev=0.3))
    (thrown, events), *_ = simulator.events(range(1))
    assert thrown.kinematics.cores.shape == (3, 2)
    assert len(events) >= 2
    assert len({event.event_id for event in events}) == len(events)
    assert events[0].true_sums != events[1].true_sums


def test_ctapipe_reads_a_description_as_events(tmp_path: Path) -> None:
    path = _write(tmp_path)
    with EventSource(path, max_events=3) as source:
        assert isinstance(source, ShowerSimulationSource)
        assert source.is_simulation
        for event in source:
            assert event.index.obs_id == 3000
            assert event.simulation.shower.core_x.unit == "m"
            for tel_id in event.trigger.tels_with_trigger:
                camera = event.simulation.tel[tel_id]
                assert camera.true_image_sum == camera.true_image.sum()
                assert event.r1.tel[tel_id].waveform.shape == (1, 1855, 40)
        assert sorted(source.simulation_config) == [3000, 3001]
        assert source.atmosphere_density_profile is not None


def _content(path: Path) -> dict[str, np.ndarray]:
    """Read images and truth."""
    with TableLoader(path) as loader:
        images = loader.read_telescope_events(true_images=True, dl1_images=True, simulated=True)
        counts = loader.read_shower_distribution()
        return {
            "event": np.asarray(images["event_id"]),
            "true": np.asarray(images["true_image"]),
            "image": np.asarray(images["image"]),
            "energy": np.asarray(images["true_energy"]),
            "counts": np.asarray(counts["n_entries"]),
        }


@pytest.mark.timeout(600)
def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    path = _write(tmp_path)
    told: list[tuple[int, int]] = []
    one = produce(path, tmp_path / "one.h5", progress=lambda *state: told.append(state))
    assert main(["simulate", str(path), "--output", str(tmp_path / "two.h5"), "--workers", "2"]) == 0
    assert (one.blocks, one.showers, told[-1]) == (2, 6, (2, 2))
    first, second = _content(tmp_path / "one.h5"), _content(tmp_path / "two.h5")
    assert len(first["event"]) >= 8
    for name, values in first.items():
        assert np.array_equal(values, second[name], equal_nan=True)
    assert first["counts"].tolist() == [3, 3]
    with tables.open_file(tmp_path / "one.h5") as file:
        assert "/configuration/instrument/subarray/layout" in file
        assert file.root._v_attrs["CTA INSTRUMENT SITE"] == "CTAO-NORTH"
        assert file.root._v_attrs["CTA INSTRUMENT VERSION"] == load_model().version
        assert file.root._v_attrs["CTA INSTRUMENT ID"] == load_model().sha256
    with pytest.raises(Conflict, match=r"one\.h5 exists"):
        produce(path, tmp_path / "one.h5")
    _check_record(tmp_path / "one.provenance.log", path, tmp_path / "one.h5")


def _check_record(log: Path, description: Path, output: Path) -> None:
    """The record names what is there, not the parts: description, model, the product with its checksum."""
    (activity,) = json.loads(log.read_text(encoding="utf-8"))
    (made,) = activity["output"]
    assert made["url"] == f"file://{output}"
    assert made["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    used = {entry["role"]: entry["url"] for entry in activity["input"]}
    model = load_model()
    assert used["run description"] == f"file://{description}"
    assert used[f"instrument model {model.label}"].endswith("model.yaml")
    (configuration,) = activity["config"].values()
    assert configuration["seed"] == DESCRIPTION["seed"]
    assert configuration["instrument_model"] == {"version": model.version, "sha256": model.sha256}
    assert len(activity["config_sha256"]) == 64
    assert activity["system"]["dpps_simpipe_version"] == __version__


def test_another_table_of_the_same_name_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its blocks were put together, a run does not go on with another atmosphere."""
    path, output = _write(tmp_path, atmosphere="air.dat"), tmp_path / "run.h5"
    table = tmp_path / "air.dat"
    table.write_text("one", encoding="utf-8")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(production, "run_jobs", killed)
    for _ in range(2):  # the same table goes on
        with pytest.raises(KeyboardInterrupt):
            produce(path, output)
    table.write_text("two", encoding="utf-8")
    with pytest.raises(Conflict, match="another description"):
        produce(path, output)


def test_parts_of_another_run_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path)
    parts = tmp_path / "out.h5.parts"
    parts.mkdir()
    (parts / "description.sha256").write_text("of another run", encoding="utf-8")
    with pytest.raises(Conflict, match=r"out\.h5\.parts holds unfinished work of another"):
        produce(path, tmp_path / "out.h5")
    (parts / "description.sha256").rename(parts / "block_000003000.h5")
    with pytest.raises(Conflict, match="not of which description"):
        produce(path, tmp_path / "out.h5")


def test_a_run_that_was_killed_while_it_tidied_up_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the file has its name, or half through the removal of its parts."""
    path, output = _write(tmp_path, showers=1, block_showers=1), tmp_path / "run.h5"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(resuming, "_release", killed)
        with pytest.raises(KeyboardInterrupt):
            produce(path, output)
    made = output.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(resuming.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            produce(path, output)
    with pytest.raises(Conflict, match=r"run\.h5 exists"):
        produce(path, output)
    assert output.read_bytes() == made
    assert not list(tmp_path.glob("run.h5.parts*"))


@pytest.mark.parametrize(("options", "word"), [({"workers": 0}, "workers"), ({"levels": ["dl9"]}, "dl9")])
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        produce(_write(tmp_path), tmp_path / "out.h5", **options)


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path, primary="neutrino")
    output = str(tmp_path / "out.h5")
    assert main(["simulate", str(path), "--output", output, "--json"]) == ConfigurationError.exit_code
    captured = capsys.readouterr()
    assert json.loads(captured.err)["identifiers"] == {"key": "primary"}
    assert "primary must be one of" in captured.err
    assert main(["simulate", str(_write(tmp_path)), "--output", output, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["blocks"] == 2
    assert main(["compare", "--output", output]) == ConfigurationError.exit_code
    assert main(["simulat"]) == ConfigurationError.exit_code
    assert main(["simulate"]) == ConfigurationError.exit_code
    assert "--output" in capsys.readouterr().err


def test_showers_of_blocks_without_events_count(tmp_path: Path) -> None:
    changes = {"seed": 11, "showers": 3, "block_showers": 1, "energy_min_tev": 0.03, "energy_max_tev": 0.1}
    path = _write(tmp_path, **changes, core_radius_m=350.0)
    produce(path, tmp_path / "run.h5")
    content = _content(tmp_path / "run.h5")
    assert 0 < len(set(content["event"])) < 3
    with tables.open_file(tmp_path / "run.h5") as file:
        assert list(file.root.simulation.service.shower_distribution.col("n_entries")) == [1, 1, 1]
        assert len(file.root.configuration.simulation.run) == 3


def test_a_run_without_events_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, showers=1, block_showers=1, core_radius_m=1500.0)
    with pytest.raises(InsufficientStatistics, match="no shower triggered"):
        produce(path, tmp_path / "run.h5")
    assert not (tmp_path / "run.h5").exists()
