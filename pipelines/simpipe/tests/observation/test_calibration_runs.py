"""Calibration runs: what is measured from the streams is what was injected."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import QTable
from ctapipe.containers import EventType
from ctapipe.io import EventSource
from dpps_simpipe.calibration_runs.running import take
from dpps_simpipe.command import main
from dpps_simpipe.instrument import load_array
from dpps_simpipe.observation.cameras import camera_stream

from dpps.domain.errors import Conflict, InvalidInput

from .conftest import CALIBRATION, Write

PIXELS = {"gain_spread": 0.1, "efficiency_spread": 0.1, "pedestal_spread": 8.0, "time_spread": "0.3 ns"}


@pytest.fixture(autouse=True)
def _reader(service_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTAPIPE_SVC_PATH", str(service_data))


class _Read:
    """Wave forms of a run and its truth."""

    def __init__(self, result: dict[str, Any]) -> None:
        truth = {name.rsplit(".", 2)[1]: QTable.read(name, format="ascii.ecsv") for name in result["truth"]}
        self.pixels, self.events = truth["pixels"], truth["events"]
        self.stars = truth.get("stars")
        waveforms, self.kinds, self.seconds = [], set(), []
        with EventSource(result["files"][0], subarray_id=2) as source:
            self.geometry = source.subarray.tel[1].camera.geometry
            for event in source:
                waveforms.append(event.dl0.tel[1].waveform)
                self.kinds.add(event.dl0.tel[1].event_type)
                self.seconds.append(event.trigger.time.unix_tai - (1768510800.0 + 37.0))
        self.charge = np.array(waveforms).sum(axis=-1)


def _take(path: Path, output: Path) -> _Read:
    return _Read(take(path, output))


def _slope(measured: np.ndarray, expected: np.ndarray) -> float:
    return float(np.polyfit(expected - expected.mean(), measured, 1)[0])


def test_pedestals_and_flat_fields_give_the_pixels_back(write: Write, tmp_path: Path) -> None:
    pedestal = _take(write(CALIBRATION, pixels=PIXELS, events=12), tmp_path)
    assert pedestal.kinds == {EventType.SKY_PEDESTAL}
    assert np.allclose(pedestal.seconds, np.arange(12) / 100.0, atol=1e-6)
    assert pedestal.charge.shape == (12, 2, 1855)
    dark = pedestal.charge.mean(axis=0)
    camera = camera_stream(load_array("ctao-north-lst").telescopes[0])
    # The stored step is two counts of the high gain (the low gain needs the range).
    injected = pedestal.pixels["pedestal_high_counts"] * camera.n_samples / (2 * camera.scale)
    assert _slope(dark[0], injected) == pytest.approx(1.0, abs=0.03)
    assert dark[0].mean() == pytest.approx(injected.mean(), abs=0.12)
    flash = {"light": 75, "flash_spread": 0.02, "width": "1 ns"}
    flat = _take(
        write(CALIBRATION, kind="flat-field", flat_field=flash, pixels=PIXELS, obs_id=2000000501, events=16),
        tmp_path,
    )
    assert flat.kinds == {EventType.FLATFIELD}
    mean = (flat.charge - dark).mean(axis=0)
    expected = flat.events["light"].mean() * flat.pixels["efficiency"] * flat.pixels["gain"]
    # The window cuts the tail of the pulse, which undershoots in the low gain.
    for channel, tolerance in enumerate((0.03, 0.08)):
        assert np.median(mean[channel] / expected) == pytest.approx(1.0, abs=tolerance)
        assert _slope(mean[channel], np.asarray(expected)) == pytest.approx(1.0, abs=tolerance)
    # Photon statistics: variance over mean is the gain times 1 + the width of one photoelectron squared.
    level = flat.charge[:, 0] - dark[0]
    level = level * (75.0 / np.asarray(flat.events["light"]))[:, np.newaxis]
    noise = pedestal.charge[:, 0].var(axis=0, ddof=1)
    factor = (level.var(axis=0, ddof=1) - noise).mean() / mean[0].mean()
    assert factor == pytest.approx(float(np.mean(flat.pixels["gain"])) * 1.16, rel=0.06)


def test_muons_make_rings_where_they_come_from(write: Write, tmp_path: Path) -> None:
    muon = {
        "energy_min": "30 GeV",
        "energy_max": "1 TeV",
        "index": 2.0,
        "impact_max": "6 m",
        "view_cone": "0.5 deg",
        "throughput": 0.8,
    }
    rings = _take(write(CALIBRATION, kind="muon", muon=muon, events=5, night_sky=0), tmp_path)
    assert rings.kinds == {EventType.MUON}
    assert len(rings.events) == len(rings.charge) >= 4
    focal = 29.237
    x, y = (np.degrees(one.to_value("m") / focal) for one in (rings.geometry.pix_x, rings.geometry.pix_y))
    for charge, truth in zip(rings.charge[:, 0], rings.events, strict=True):
        up = truth["true_alt"].to_value("deg") - 70.0
        along = (truth["true_az"].to_value("deg") - 180.0) * np.cos(np.radians(70.0))
        lit = charge > 8
        radius = np.hypot(x[lit] - up, y[lit] - along)
        mean = np.average(radius, weights=charge[lit])
        # Light from above, where the air is thinner, makes the ring a few per cent smaller.
        assert 0.92 < mean / truth["ring_radius"].to_value("deg") < 1.03
        assert np.sqrt(np.average((radius - mean) ** 2, weights=charge[lit])) < 0.12
        assert charge[lit].sum() == pytest.approx(truth["true_pe"], rel=0.2)


def test_stars_stand_where_the_true_pointing_puts_them(write: Write, tmp_path: Path) -> None:
    stars = {
        "pointing": {"ra": "83.6331 deg", "dec": "22.0145 deg"},
        "pointing_offset": {"altitude": "0.08 deg", "azimuth": "-0.1 deg"},
        "list": [{"name": "zeta Tau", "ra": "84.4112 deg", "dec": "21.1425 deg", "rate": "40 / ns"}],
    }
    field = _take(write(CALIBRATION, kind="stars", stars=stars, events=20), tmp_path)
    (star,) = field.stars
    # A degree beside the centre the error of the pointing turns the field a little.
    shift = star["nominal_fov_lat"] - star["fov_lat"], star["nominal_fov_lon"] - star["fov_lon"]
    assert [one.to_value("deg") for one in shift] == pytest.approx([0.08, -0.1], abs=5e-3)
    variance = field.charge[:, 0].var(axis=0)
    assert int(variance.argmax()) == int(star["brightest_pixel"])
    excess = np.clip(variance - np.percentile(variance, 98), 0.0, None)
    focal = 29.237
    lat, lon = (
        np.average(np.degrees(one.to_value("m") / focal), weights=excess)
        for one in (field.geometry.pix_x, field.geometry.pix_y)
    )
    # Half a pixel; the nominal pointing is off by more.
    assert lat == pytest.approx(star["fov_lat"].to_value("deg"), abs=0.05)
    assert lon == pytest.approx(star["fov_lon"].to_value("deg"), abs=0.05)


def test_a_run_is_taken_once(write: Write, tmp_path: Path) -> None:
    path = write(CALIBRATION, events=2)
    output = tmp_path / "runs"
    first = take(path, output, hand_over=True)
    stream = Path(str(first["files"][0]))
    assert stream.name.startswith("TEL001_SDH0000_20260115T210000_")
    assert stream.name.endswith("_TEL_CAL_CHUNK000.fits.fz")
    assert stream.with_name(f"{stream.name}.trigger").is_symlink()
    (record,) = json.loads(Path(str(first["provenance"])).read_text(encoding="utf-8"))
    made = [entry["url"] for entry in record["output"]]
    assert made == [f"file://{name}" for name in [*first["files"], *first["truth"]]]
    assert record["config"]["dpps-simpipe calibration-run"]["seed"] == first["seed"]
    assert take(path, output) == first
    with pytest.raises(Conflict, match="another description"):
        take(write(CALIBRATION, events=3), output)
    # Killed after the stream and before its truth: made anew.
    Path(str(first["manifest"])).unlink()
    with pytest.raises(Conflict, match="exists"):
        take(path, output)


def test_muons_that_nobody_sees_are_an_error(write: Write, tmp_path: Path) -> None:
    muon = {
        "energy_min": "6 GeV",
        "energy_max": "6.1 GeV",
        "index": 2.0,
        "impact_max": "1 m",
        "view_cone": "0 deg",
        "throughput": 0.001,
    }
    path = write(CALIBRATION, kind="muon", muon=muon, events=2)
    assert main(["calibration-run", str(path), "--output", str(tmp_path / "out")]) != 0
    assert not list((tmp_path / "out").rglob("*.fits.fz"))
    with pytest.raises(InvalidInput, match="none of 2 muons"):
        take(path, tmp_path / "out")
