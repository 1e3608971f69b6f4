"""Pictures and summary of processed events."""

import json
from pathlib import Path
from typing import Any

import pytest
from dpps_datapipe.pictures.command import main
from dpps_datapipe.pictures.events import Direction

from .conftest import N_EVENTS, Processed, process

PNG = b"\x89PNG\r\n\x1a\n"


def _summary(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    return content


def test_toy_events_are_reconstructed_where_they_came_from(processed: Processed, tmp_path: Path) -> None:
    arguments = ["--dl1", str(processed.dl1), "--dl2", str(processed.dl2), "--output", str(tmp_path)]
    assert main([*arguments, "--truth", str(processed.hand_over.truth)]) == 0
    summary = _summary(tmp_path)
    assert summary["label"] == "toy"
    assert summary["events"] == summary["reconstructed_events"] == N_EVENTS
    assert summary["offset_deg_median"] < 0.5
    assert len(summary["telescopes"]) >= 2
    assert summary["pictures"] == ["camera_images.png", "directions.png"]
    for name in summary["pictures"]:
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_without_truth_there_is_no_picture_of_directions(processed: Processed, tmp_path: Path) -> None:
    arguments = ["--dl1", str(processed.dl1), "--dl2", str(processed.dl2), "--output", str(tmp_path)]
    assert main(arguments) == 0
    summary = _summary(tmp_path)
    assert summary["label"] == "observation"
    assert summary["pictures"] == ["camera_images.png"]
    assert "nothing knows the true directions" in summary["statement"]


def test_one_telescope_gives_images_and_a_statement(processed: Processed, tmp_path: Path) -> None:
    stream = processed.hand_over.files[2]
    dl1 = tmp_path / "one.dl1.h5"
    log = f"--provenance-log={tmp_path / 'provenance.log'}"
    flags = ("--write-images", "--write-parameters", "--write-showers", log)
    assert process("--input", str(stream), "--output", str(dl1), *flags) == 0
    assert main(["--dl1", str(dl1), "--dl2", str(dl1), "--output", str(tmp_path / "out")]) == 0
    summary = _summary(tmp_path / "out")
    assert summary["reconstructed_events"] == 0
    assert summary["statement"].startswith("None of")
    assert summary["pictures"] == ["camera_images.png"]


def test_file_that_is_no_product_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.h5"
    wrong.write_text("no HDF5", encoding="utf-8")
    arguments = ["--dl1", str(wrong), "--dl2", str(wrong), "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert str(wrong) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_separation_of_directions() -> None:
    zenith = Direction(altitude_deg=90.0, azimuth_deg=0.0)
    assert zenith.separation_deg(Direction(altitude_deg=70.0, azimuth_deg=123.0)) == pytest.approx(20.0)
    south = Direction(altitude_deg=0.0, azimuth_deg=180.0)
    assert south.separation_deg(Direction(altitude_deg=0.0, azimuth_deg=181.0)) == pytest.approx(1.0)
