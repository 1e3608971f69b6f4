"""A night as raw streams: what readers find, what the truth says, what an interruption leaves."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import QTable
from ctapipe_io_zfits import ProtozfitsTelescopeEventSource
from dpps_simpipe import resuming
from dpps_simpipe.command import main
from dpps_simpipe.instrument import load_model
from dpps_simpipe.observation import observing, thrown
from dpps_simpipe.observation.observing import observe
from dpps_simpipe.observation.reading import load_night
from protozfits import File
from traitlets.config import Config

from dpps.domain.errors import Conflict, InvalidInput

from .conftest import NIGHT, Write


@pytest.fixture(autouse=True)
def _slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a short block in several slices."""
    monkeypatch.setattr(thrown, "SHOWERS_PER_SLICE", 4)


def _truth(path: str) -> QTable:
    return QTable.read(path, format="ascii.ecsv")


def _rows(path: str) -> list[str]:
    """Give all messages of a stream in text; the bytes of a file hold padding that varies."""
    with File(path, pure_protobuf=True) as stream:
        names = ("DataStream", "CameraConfiguration", "Events", "SubarrayEvents", "Triggers")
        return [str(row) for name in names if hasattr(stream, name) for row in getattr(stream, name)]


def test_a_night_is_what_its_truth_says(
    write: Write, tmp_path: Path, service_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTAPIPE_SVC_PATH", str(service_data))
    output = tmp_path / "night"
    path = write(NIGHT, chunk_events=4)
    told: list[str] = []
    result = observe(path, output, hand_over=True, progress=told.append)
    (block,) = result["blocks"]
    counts = block["counts"]["source"]
    assert counts["thrown"] >= counts["triggered"] >= counts["recorded"] > 0
    assert told[-1] == f"block 2000000456: {len(told)} of {len(told)} slices"
    assert len(told) > 1
    assert any("0.0001 of the real flux" in cut for cut in block["cuts"])
    assert all(Path(name).is_symlink() for name in block["triggers"])
    assert not (output / ".unfinished").exists()
    (record,) = json.loads(Path(str(block["provenance"])).read_text(encoding="utf-8"))
    products = {entry["url"]: entry["sha256"] for entry in record["output"]}
    for name in [*block["files"], block["truth"], block["notes"]]:
        assert products[f"file://{name}"] == hashlib.sha256(Path(name).read_bytes()).hexdigest()
    assert record["input"][0]["url"] == f"file://{path}"
    assert record["config"]["dpps-simpipe observe"]["instrument_model"]["sha256"] == load_model().sha256
    truth = _truth(block["truth"])
    assert len(truth) == block["events"] == sum(one["recorded"] for one in block["counts"].values())
    assert truth.meta["background_fraction"] == 1e-4
    gammas = truth["primary"] == "gamma"
    assert np.allclose(truth["true_ra"][gammas].to_value("deg"), 83.6331, atol=1e-6)
    _check_headers(block["files"])
    _check_events(block["files"], truth)
    # Again: nothing is made anew; of another description: refused.
    assert observe(path, output)["blocks"][0]["counts"] == block["counts"]
    with pytest.raises(Conflict, match="another description"):
        observe(write(NIGHT, seed=13), output)


def _check_headers(files: list[str]) -> None:
    for name in files:
        header = fits.getheader(name)
        assert header["TRACKING"] == "fixed_icrs"
        assert header["DEC_PNT"] == pytest.approx(22.0145, abs=2e-3)
        assert 73 < header["ALT_MIN"] <= header["ALT_MAX"] < 75
        assert header["ORIGIN"] == "dpps-simpipe"
        assert "cosmic rays x0.0001" in header["TITLE"]
    chunks = [fits.getheader(name)["CHUNK_ID"] for name in files if "TEL001" in name]
    assert chunks == list(range(len(chunks)))
    assert len(chunks) > 1


def _check_events(files: list[str], truth: QTable) -> None:
    """Read a telescope's stream with the stock reader."""
    first = next(name for name in files if "TEL001" in name)
    number = {int(row["event_id"]): row for row in truth}
    seen, measured, true = [], 0.0, 0.0
    config = Config({"MultiFiles": {"all_chunks": True}})
    with ProtozfitsTelescopeEventSource(first, subarray_id=2, config=config) as source:
        assert source.subarray.tel[1].camera.name == "LSTCam"
        for event in source:
            row = number[event.index.event_id]
            seen.append(event.index.event_id)
            start = (event.trigger.time.unix_tai - source_start()) - row["time"].to_value("s")
            assert abs(start) < 5e-6  # the telescope's trigger, microseconds at most after the core
            measured += float(event.dl0.tel[1].waveform.sum())
            true += float(row["true_pe_tel_001"])
    assert seen == sorted(seen)
    # Photoelectrons in, photoelectrons out: the night sky adds nothing in the mean.
    assert measured == pytest.approx(true, rel=0.2)
    stream = next(name for name in files if "SUBARRAY" in name)
    with File(stream) as subarray:
        triggers = list(subarray.SubarrayEvents)
    assert [event.event_id for event in triggers] == list(number)
    assert seen == [event.event_id for event in triggers if 1 in event.tel_ids_with_data]
    for event in triggers:
        seconds = event.event_time_s - source_start() + event.event_time_qns * 0.25e-9
        assert seconds == pytest.approx(number[event.event_id]["time"].to_value("s"), abs=1e-9)


def source_start() -> float:
    """TAI seconds since 1970 of 2026-01-15T22:00:00 UTC: 37 leap seconds before it."""
    return 1768514400.0 + 37.0


def test_notes_are_what_event_lists_need(write: Write, tmp_path: Path) -> None:
    night = write(NIGHT, source__energy_min="250 GeV", background=None, blocks__0__duration="4 s")
    result = observe(night, tmp_path / "night")
    notes = yaml.safe_load(Path(result["blocks"][0]["notes"]).read_text(encoding="utf-8"))
    assert notes["obs_id"] == result["blocks"][0]["obs_id"]
    assert notes["site"] == "CTAO-North"
    assert notes["dead_time"] == {"per_event_s": 7e-6}
    assert notes["target"] == {"name": "Crab Nebula", "ra_deg": 83.6331, "dec_deg": 22.0145}
    assert (notes["start"], notes["stop"]) == ("2026-01-15T22:00:00+00:00", "2026-01-15T22:00:04+00:00")
    assert notes["simulated_observation"] is True


def test_an_interrupted_night_goes_on_and_gives_the_same(write: Write, tmp_path: Path) -> None:
    path = write(NIGHT)
    done: list[str] = []

    def interrupt(line: str) -> None:
        done.append(line)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        observe(path, tmp_path / "cut", progress=interrupt)
    assert not list((tmp_path / "cut").rglob("*.fits.fz"))
    with pytest.raises(Conflict, match="unfinished work of another"):
        observe(write(NIGHT, seed=99), tmp_path / "cut")
    path = write(NIGHT)
    told: list[str] = []
    (cut,) = observe(path, tmp_path / "cut", progress=told.append)["blocks"]
    assert told[0].startswith("block 2000000456: 3 of")
    (whole,) = observe(path, tmp_path / "whole")["blocks"]
    for one, other in zip(cut["files"], whole["files"], strict=True):
        assert _rows(one) == _rows(other)
    assert Path(cut["truth"]).read_text() == Path(whole["truth"]).read_text()


_SHORT = {"source__energy_min": "250 GeV", "background": None, "blocks__0__duration": "4 s"}


def test_what_was_not_handed_over_is_handed_over_later(write: Write, tmp_path: Path) -> None:
    path = write(NIGHT, **_SHORT)
    (first,) = observe(path, tmp_path)["blocks"]
    assert not list(tmp_path.rglob("*.trigger"))
    # One stream is taken away before the others are told: it is neither made anew nor announced.
    taken, *left = map(Path, first["files"])
    taken.unlink()
    (again,) = observe(path, tmp_path, hand_over=True)["blocks"]
    assert sorted(map(str, tmp_path.rglob("*.trigger"))) == sorted(f"{one}.trigger" for one in left)
    assert sorted(again["triggers"]) == sorted(f"{one}.trigger" for one in left)
    assert not taken.exists()


def test_a_night_that_was_killed_while_it_tidied_up_is_complete(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(NIGHT, **_SHORT)

    def killed(folder: Path) -> None:
        next(iter(sorted(folder.iterdir()))).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(resuming.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            observe(path, tmp_path, hand_over=True)
    (block,) = observe(path, tmp_path, hand_over=True)["blocks"]
    assert all(Path(name).is_symlink() for name in block["triggers"])
    assert not (tmp_path / ".unfinished").exists()


def test_unfinished_work_is_of_one_process_at_a_time(tmp_path: Path) -> None:
    parts = tmp_path / ".unfinished" / "block"
    with resuming.claimed(parts, "same", []):
        with pytest.raises(Conflict, match="another process works in"), resuming.claimed(parts, "same", []):
            pass
        assert parts.is_dir()
    assert not parts.parent.exists()


def test_another_table_of_the_same_name_is_another_night(write: Write, tmp_path: Path) -> None:
    night = load_night(write(NIGHT, atmosphere="air.dat"))
    table = tmp_path / "air.dat"
    table.write_text("one")
    before = observing.fingerprint(night, "acada")
    assert observing.fingerprint(night, "acada") == before
    table.write_text("two")
    assert observing.fingerprint(night, "acada") != before


def test_an_empty_night_is_an_error(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(NIGHT, background=None, source__spectrum__amplitude="1e-18 cm-2 s-1 TeV-1")
    with pytest.raises(InvalidInput, match="none of 0 showers triggered"):
        observe(path, tmp_path / "night")
    assert not list((tmp_path / "night").rglob("*.fits.fz"))
    assert main(["observe", str(path), "--output", str(tmp_path / "n"), "--workers", "0", "--json"]) != 0
    assert json.loads(capsys.readouterr().err)["code"] == "simpipe.option-invalid"
