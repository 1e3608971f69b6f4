"""Nights and calibration runs of a given version of the instrument model."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from astropy.table import QTable
from dpps_simpipe.calibration_runs.description import load_calibration_run
from dpps_simpipe.command import main
from dpps_simpipe.instrument import load_model
from dpps_simpipe.observation import observing
from dpps_simpipe.observation.reading import load_night

from dpps.domain.errors import InvalidInput

from .conftest import CALIBRATION, NIGHT, Write


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """A copy of the package's model with a wider mirror of the LST, for 2026 and 2027."""
    folder = tmp_path / "own"
    shutil.copytree(load_model().folder, folder)
    designs = folder / "parameters" / "LSTN-design.json"
    documents = json.loads(designs.read_text())
    (area,) = (one for one in documents if one["parameter"] == "mirror_area")
    area["value"] = 400.0
    designs.write_text(json.dumps(documents))
    head = yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))
    head |= {"version": "1.9.0", "valid_from": date(2026, 1, 1), "valid_until": date(2027, 12, 31)}
    (folder / "model.yaml").write_text(yaml.safe_dump(head, sort_keys=False))
    return folder


def _told(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.verifies_usecase("UC-150-2.1")
def test_a_night_is_of_the_model_that_is_given(
    write: Write, tmp_path: Path, own_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(NIGHT, source__energy_min="250 GeV", background=None, blocks__0__duration="4 s")
    given = {"version": "1.9.0", "sha256": load_model(own_model).sha256}
    output = tmp_path / "night"
    words = ["observe", str(path), "--output", str(output), "--instrument", str(own_model)]
    assert _told([*words, "--dry-run"], capsys)["instrument_model"] == given
    (block,) = _told(words, capsys)["blocks"]
    assert block["instrument_model"] == given
    assert QTable.read(block["truth"], format="ascii.ecsv").meta["instrument_model"] == given
    assert yaml.safe_load(Path(block["notes"]).read_text())["instrument_model"] == given
    # The same night of the package's model is another one.
    assert main(["observe", str(path), "--output", str(output)]) == 101
    assert "is of another description" in capsys.readouterr().err
    # A copy of the model elsewhere is the same model.
    moved = own_model.rename(tmp_path / "moved")
    elsewhere = [str(moved) if word == str(own_model) else word for word in words]
    assert _told(elsewhere, capsys)["blocks"] == [block]


@pytest.mark.verifies_usecase("UC-150-2.1")
def test_a_calibration_run_is_of_the_model_that_is_given(
    write: Write, tmp_path: Path, own_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(CALIBRATION, events=1)
    words = ["calibration-run", str(path), "--output", str(tmp_path / "runs")]
    found = _told([*words, "--instrument", str(own_model)], capsys)
    given = {"version": "1.9.0", "sha256": load_model(own_model).sha256}
    assert found["instrument_model"] == given
    meta = QTable.read(found["truth"][0], format="ascii.ecsv").meta
    assert meta["instrument_model"] == given
    assert str(tmp_path) not in str(meta)
    run = load_calibration_run(path, str(own_model))
    assert run.load_array().telescopes[0].kind.mirror_area_m2 == 400.0


@pytest.mark.parametrize(
    ("start", "days"), [("2025-12-31T22:00:00Z", "2025-12-31"), ("2028-01-01T22:00:00Z", "2028-01-01")]
)
def test_data_of_days_that_the_model_does_not_describe_are_refused(
    write: Write,
    tmp_path: Path,
    own_model: Path,
    start: str,
    days: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = ["--instrument", str(own_model), "--output", str(tmp_path / "out")]
    night = write(NIGHT, blocks__0__start=start)
    assert main(["observe", str(night), *model, "--dry-run"]) == 101
    said = f"is on {days}, but the instrument model 1.9.0"
    until = "describes data from 2026-01-01 until 2027-12-31"
    error = capsys.readouterr().err
    assert f"observation block 2000000456 {said}" in error
    assert until in error
    run = write(CALIBRATION, start=start)
    assert main(["calibration-run", str(run), *model]) == 101
    error = capsys.readouterr().err
    assert f"calibration run 2000000500 {said}" in error
    assert until in error
    assert not (tmp_path / "out").exists()


def test_a_block_that_ends_after_the_last_day_is_refused(write: Write, own_model: Path) -> None:
    night = load_night(write(NIGHT, blocks__0__start="2027-12-31T23:59:50Z"), str(own_model))
    with pytest.raises(InvalidInput, match="on 2027-12-31 to 2028-01-01"):
        observing.checked_array(night)


def test_a_model_that_is_not_there_is_named(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["observe", str(write(NIGHT)), "--output", str(tmp_path / "out")]
    assert main([*words, "--instrument", str(tmp_path / "gone")]) == 105
    error = capsys.readouterr().err
    assert f"there is no instrument model {tmp_path / 'gone'}" in error
    assert "Give a folder with model.yaml" in error


def test_blocks_that_overlap_in_time_are_refused(write: Write) -> None:
    first = NIGHT["blocks"][0]
    later = {**first, "obs_id": 2000000457}
    for start, fine in (
        ("2026-01-15T22:00:20Z", True),
        ("2026-01-15T22:00:19Z", False),
        ("2026-01-15T22:00:00Z", False),
        ("2026-01-15T21:59:50Z", False),
    ):
        path = write(NIGHT, blocks=[first, {**later, "start": start}])
        if fine:
            assert len(load_night(path).blocks) == 2
        else:
            with pytest.raises(
                InvalidInput, match=r"obs_id 200000045[67] is before obs_id 200000045[67] ends"
            ):
                load_night(path)
