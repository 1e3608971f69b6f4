"""Event lists: complete, valid, read and fitted by Gammapy back to what was put in."""

import json
import mimetypes
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tables
import yaml
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from dpps_datapipe.dl3.clock import Clock
from dpps_datapipe.testing.observations import SyntheticObservation

from .conftest import Synthetic, step

INJECTED = SyntheticObservation()
WHOLE_NIGHT = {"start": "2026-01-15T18:00:00Z", "stop": "2026-01-16T06:00:00Z", "reason": "clouds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A folder with an indexed event list."""

    folder: Path
    event_list: Path
    summary: dict[str, object]


def make(synthetic: Synthetic, output: Path, *more: str, notes: Path | None = None) -> int:
    options = {
        "--events": synthetic.observation,
        "--cuts": synthetic.selection,
        "--irf": synthetic.response,
        "--observation": notes or synthetic.notes,
        "--output": output,
    }
    words = [word for name, path in options.items() for word in (name, str(path))]
    return step("make-dl3", *words, *more)


@pytest.fixture(scope="module")
def made(synthetic: Synthetic, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("dl3")
    event_list = folder / "observation.fits.gz"
    log = folder / "make.log"
    assert make(synthetic, event_list, "--provenance-log", str(log)) == 0
    assert step("index-dl3", "--folder", str(folder)) == 0
    return Made(folder=folder, event_list=event_list, summary={"log": json.loads(log.read_text())})


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_published_validator_passes(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    from ctao_datamodel.models.dl3 import ctao_gadf

    # The validator uses a function that Python has from 3.13 on.
    monkeypatch.setattr(mimetypes, "guess_file_type", mimetypes.guess_type, raising=False)
    files = sorted(made.folder.glob("*.fits.gz"))
    assert len(files) == 3
    assert ctao_gadf.main([str(path) for path in files]) == 0


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_headers_are_complete(made: Made) -> None:
    header = fits.getheader(made.event_list, "EVENTS")
    assert header["HDUCLASS"] == "GADF"
    assert (header["TIMESYS"], header["MJDREFI"], header["MJDREFF"]) == ("TT", 51544, 0.5)
    assert header["OBS_ID"] == INJECTED.obs_id
    assert (header["RA_PNT"], header["DEC_PNT"]) == pytest.approx(INJECTED.pointing)
    assert (header["GEOLON"], header["GEOLAT"]) == pytest.approx((-17.892005, 28.762164))
    assert header["ONTIME"] == pytest.approx(INJECTED.duration_s - 120.0)
    assert header["LIVETIME"] == pytest.approx(0.95 * header["ONTIME"])
    assert header["OBS_MODE"] == "POINTING"
    assert (header["TELESCOP"], header["INSTRUME"]) == ("Simulated-CTAO", "CTAO-North")
    assert header["QUALITY"] == 0
    assert "DEADASSU" not in header
    # 2026-01-15T22:00:00 UTC is 69.184 s later in TT.
    assert header["TIME-OBS"] == "22:01:09.184"
    product = fits.getheader(made.event_list, 0)
    assert (product["RIGHTS"], product["PUBDATE"][:10]) == ("proprietary", "2027-01-15")
    assert any(line.startswith("input response sha256:") for line in product["HISTORY"])


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_good_times_leave_the_pause_out(made: Made) -> None:
    intervals = Table.read(made.event_list, hdu="GTI")
    lengths = np.asarray(intervals["STOP"] - intervals["START"])
    assert lengths == pytest.approx([600.0, 1080.0])
    assert "clouds" in str(fits.getheader(made.event_list, "GTI")["HISTORY"])
    times = Table.read(made.event_list, hdu="EVENTS")["TIME"]
    inside = (times >= intervals["START"][0]) & (times < intervals["STOP"][0])
    inside |= (times >= intervals["START"][1]) & (times < intervals["STOP"][1])
    assert inside.all()
    assert (np.diff(times) >= 0.0).all()


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_source_stands_where_it_was_put(made: Made) -> None:
    events = Table.read(made.event_list, hdu="EVENTS")
    source = SkyCoord(INJECTED.source_ra_deg, INJECTED.source_dec_deg, unit="deg")
    directions = SkyCoord(events["RA"], events["DEC"], unit="deg")
    near = directions[directions.separation(source).deg < 0.2]
    assert len(near) > 500
    offset_lon, offset_lat = source.spherical_offsets_to(near)
    error_deg = 0.1 / np.sqrt(len(near))
    assert abs(np.mean(offset_lon.deg)) < 4.0 * error_deg
    assert abs(np.mean(offset_lat.deg)) < 4.0 * error_deg


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_provenance_names_all_inputs(made: Made) -> None:
    (record,) = made.summary["log"]
    assert (record["status"], record["exit_code"]) == ("completed", 0)
    assert {entry["role"] for entry in record["input"]} == {
        "Event data",
        "event-selection",
        "observation",
        "response",
    }
    assert all(len(entry["sha256"]) == 64 for entry in (*record["input"], *record["output"]))


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_gammapy_reads_checks_and_fits_it(made: Made) -> None:
    """The injected spectrum comes back within its errors."""
    from gammapy.data import DataStore
    from gammapy.datasets import SpectrumDataset
    from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker
    from gammapy.maps import MapAxis, RegionGeom
    from gammapy.modeling import Fit
    from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
    from regions import CircleSkyRegion

    (observation,) = DataStore.from_dir(made.folder).get_observations(required_irf="full-enclosure")
    # Its check of events (version 2.1) fails on its own column of times.
    checked = list(observation.check(checks=["gti", "aeff", "edisp", "psf"]))
    assert [one for one in checked if one["level"] not in ("debug", "info")] == []
    assert observation.observation_live_time_duration.to_value("s") == pytest.approx(0.95 * 1680.0)

    source = SkyCoord(INJECTED.source_ra_deg, INJECTED.source_dec_deg, unit="deg")
    energy = MapAxis.from_energy_bounds("0.1 TeV", "20 TeV", nbin=12)
    true = MapAxis.from_energy_bounds("0.06 TeV", "30 TeV", nbin=25, name="energy_true")
    geometry = RegionGeom.create(CircleSkyRegion(source, 0.2 * u.deg), axes=[energy])
    empty = SpectrumDataset.create(geom=geometry, energy_axis_true=true)
    maker = SpectrumDatasetMaker(containment_correction=True, selection=["counts", "exposure", "edisp"])
    dataset = ReflectedRegionsBackgroundMaker().run(maker.run(empty, observation), observation)
    spectrum = PowerLawSpectralModel(index=2.0, amplitude="1e-11 cm-2 s-1 TeV-1", reference="1 TeV")
    dataset.models = [SkyModel(spectral_model=spectrum)]
    assert Fit().run(dataset).success
    index, amplitude = spectrum.index, spectrum.amplitude
    assert abs(index.value - INJECTED.index) < 3.0 * index.error
    assert index.error < 0.1
    # Beside the error of the fit: that of the response (0.2 in a bin at most), of many bins.
    systematic = 0.05 * INJECTED.amplitude
    assert abs(amplitude.value - INJECTED.amplitude) < 3.0 * np.hypot(amplitude.error, systematic)


def test_point_like_event_list_gives_the_injected_spectrum(
    synthetic: Synthetic, point_like: Path, tmp_path: Path
) -> None:
    """The cut in direction depends on the energy: Gammapy applies that of the response."""
    from gammapy.data import DataStore
    from gammapy.datasets import SpectrumDataset
    from gammapy.makers import ReflectedRegionsBackgroundMaker, SpectrumDatasetMaker, WobbleRegionsFinder
    from gammapy.maps import MapAxis, RegionGeom
    from gammapy.modeling import Fit
    from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
    from regions import PointSkyRegion

    assert make(replace(synthetic, response=point_like), tmp_path / "events.fits") == 0
    with fits.open(tmp_path / "events.fits") as hdus:
        area, cut = hdus["EFFECTIVE AREA"], hdus["RAD_MAX"]
        assert (area.header["HDUCLAS3"], area.header["EVTYPE"]) == ("POINT-LIKE", "type-1")
        assert np.isfinite(cut.data["THETA_HI"]).all()
        assert "POINT SPREAD FUNCTION" not in hdus
    assert step("index-dl3", "--folder", str(tmp_path)) == 0
    (observation,) = DataStore.from_dir(tmp_path).get_observations(required_irf="point-like")
    source = SkyCoord(INJECTED.source_ra_deg, INJECTED.source_dec_deg, unit="deg")
    energy = MapAxis.from_energy_bounds("0.1 TeV", "10 TeV", nbin=10)
    true = MapAxis.from_energy_bounds("0.06 TeV", "30 TeV", nbin=25, name="energy_true")
    geometry = RegionGeom.create(PointSkyRegion(source), axes=[energy])
    empty = SpectrumDataset.create(geom=geometry, energy_axis_true=true)
    maker = SpectrumDatasetMaker(use_region_center=True, selection=["counts", "exposure", "edisp"])
    beside = ReflectedRegionsBackgroundMaker(region_finder=WobbleRegionsFinder(n_off_regions=3))
    dataset = beside.run(maker.run(empty, observation), observation)
    spectrum = PowerLawSpectralModel(index=2.0, amplitude="1e-11 cm-2 s-1 TeV-1", reference="1 TeV")
    dataset.models = [SkyModel(spectral_model=spectrum)]
    assert Fit().run(dataset).success
    assert abs(spectrum.index.value - INJECTED.index) < 3.0 * spectrum.index.error
    # Beside the error of the fit: that of the response.
    error = np.hypot(spectrum.amplitude.error, 0.05 * INJECTED.amplitude)
    assert abs(spectrum.amplitude.value - INJECTED.amplitude) < 3.0 * error


def test_times_in_tai_are_the_same_moments(synthetic: Synthetic, made: Made, tmp_path: Path) -> None:
    other = tmp_path / "tai.fits"
    assert make(synthetic, other, "--time-scale", "tai") == 0
    header = fits.getheader(other, "EVENTS")
    assert header["TIMESYS"] == "TAI"
    moments = []
    for path, scale in ((made.event_list, "tt"), (other, "tai")):
        seconds = np.asarray(Table.read(path, hdu="EVENTS")["TIME"][:5])
        moments.append((Time(51544, 0.5, format="mjd", scale=scale) + seconds * u.s).utc.mjd)
    assert moments[0] == pytest.approx(moments[1], abs=1e-11)


def test_clock_counts_leap_seconds() -> None:
    clock = Clock()
    before = clock.seconds_of(datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC))
    after = clock.seconds_of(datetime(2017, 1, 1, 0, 0, 0, tzinfo=UTC))
    assert after - before == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "exit_code", "message"),
    [
        ({"simulated_observation": False, "pauses": [], "site": None}, 105, "where the array stands"),
        ({"bad_intervals": [WHOLE_NIGHT]}, 106, "no good time"),
        ({"unknown": 1}, 101, "unknown: Extra inputs are not permitted"),
        ({"dead_time": {"fraction": 0.1, "per_event_s": 1e-6}}, 101, "either fraction or per_event_s"),
        ({"start": "2026-01-15T22:00:00"}, 101, "start: Input should have timezone info"),
        ({"target": {"name": "a\nb", "ra_deg": 0.0, "dec_deg": 0.0}}, 101, "target.name"),
    ],
)
def test_notes_that_cannot_be_used(
    change: dict[str, object],
    exit_code: int,
    message: str,
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = yaml.safe_load(synthetic.notes.read_text(encoding="utf-8"))
    written = tmp_path / "notes.yaml"
    written.write_text(yaml.safe_dump({k: v for k, v in (notes | change).items() if v is not None}))
    output = tmp_path / "out.fits"
    if "site" in change:
        synthetic = _without_place(synthetic, tmp_path)
    assert make(synthetic, output, notes=written) == exit_code
    assert message in capsys.readouterr().err
    assert not output.exists()


def _without_place(synthetic: Synthetic, folder: Path) -> Synthetic:
    """Give the observation with an array that stands nowhere."""
    copy = folder / "nowhere.h5"
    shutil.copyfile(synthetic.observation, copy)
    with tables.open_file(copy, "r+") as file:
        attributes = file.root.configuration.instrument.subarray.layout.attrs
        for name in attributes._f_list("user"):
            if name.startswith("reference_itrs"):
                attributes[name] = {"x": 6378137.0, "y": 0.0, "z": 0.0}[name[-1]]
    return replace(synthetic, observation=copy)


def test_simulations_need_a_clock(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.fits"
    words = ["--events", str(synthetic.folder / "gamma.h5"), "--irf", str(synthetic.response)]
    words += ["--cuts", str(synthetic.selection)]
    assert step("make-dl3", *words, "--output", str(output)) == 105
    assert "simulated events have no times of an observation" in capsys.readouterr().err
    notes = tmp_path / "notes.yaml"
    notes.write_text("site: CTAO-North\nsimulated: {start: 2026-01-15T22:00:00Z, rate_hz: 1000.0}\n")
    assert step("make-dl3", *words, "--output", str(output), "--observation", str(notes)) == 0
    header = fits.getheader(output, "EVENTS")
    # The pointing of the simulation stays where it is on the horizon.
    assert header["OBS_MODE"] == "DRIFT"
    assert header["ALT_PNT"] == pytest.approx(70.0)
    assert header["DEADASSU"] is True


def test_empty_selection_and_missing_models_are_refused(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.fits"
    assert make(synthetic, output, "--energy-reconstruction", "Other") == 105
    assert "no energy of the reconstruction" in capsys.readouterr().err
    strict = tmp_path / "strict.fits"
    with fits.open(synthetic.selection) as hdus:
        hdus["GH_CUTS"].data["cut"] = 2.0
        hdus.writeto(strict)
    assert make(synthetic, output, "--cuts", str(strict)) == 106
    assert "the event list would be empty" in capsys.readouterr().err
    assert not output.exists()


def test_index_refuses_what_is_no_event_list_or_twice(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step("index-dl3", "--folder", str(tmp_path)) == 105
    for name in ("first.fits.gz", "second.fits.gz"):
        (tmp_path / name).write_bytes(made.event_list.read_bytes())
    assert step("index-dl3", "--folder", str(tmp_path)) == 104
    assert "is in first.fits.gz too" in capsys.readouterr().err
    (tmp_path / "second.fits.gz").write_bytes(made.event_list.read_bytes()[:1000])
    assert step("index-dl3", "--folder", str(tmp_path)) == 104
    assert "second.fits.gz: truncated" in capsys.readouterr().err


def test_response_is_interpolated_between_points_of_a_grid(synthetic: Synthetic, tmp_path: Path) -> None:
    words = []
    for zenith, factor in ((10.0, 1.0), (20.0, 2.0)):
        path = tmp_path / f"zenith-{zenith:.0f}.fits"
        with fits.open(synthetic.response) as hdus:
            for hdu in hdus[1:]:
                hdu.header["ZEN_PNT"] = zenith
            hdus["EFFECTIVE AREA"].data["EFFAREA"] *= factor
            hdus["STATISTICS"].header["THROWNAR"] *= 2.0
            hdus.writeto(path)
        words += ["--irf", str(path)]
    output = tmp_path / "out.fits"
    selection = ("--cuts", str(synthetic.selection))
    options = ["--events", str(synthetic.observation), "--observation", str(synthetic.notes), *selection]
    assert step("make-dl3", *options, *words, "--output", str(output)) == 0
    with fits.open(synthetic.response) as hdus, fits.open(output) as made:
        before, after = (one["EFFECTIVE AREA"].data["EFFAREA"][0] for one in (hdus, made))
        ratio = after[before > 1e3] / before[before > 1e3]
        assert ((ratio > 1.01) & (ratio < 1.99)).all()
        assert "between 2 responses" in made["EVENTS"].header["IRFNOTE"]
    far = ["--events", str(synthetic.folder / "gamma.h5"), "--observation", str(tmp_path / "clock.yaml")]
    far += selection
    (tmp_path / "clock.yaml").write_text(
        "site: CTAO-North\nsimulated: {start: 2026-01-15T22:00:00Z, rate_hz: 1000.0}\n"
        "pointing: {ra_deg: 83.633, dec_deg: -20.0}\n"
    )
    assert step("make-dl3", *far, *words, "--output", str(tmp_path / "far.fits")) == 106


def test_monitored_pointing_is_used(synthetic: Synthetic, made: Made, tmp_path: Path) -> None:
    from astropy.table import QTable
    from ctapipe.io import write_table

    track = Table.read(made.event_list, hdu="POINTING")
    seconds = np.asarray(track["TIME"])
    monitored = QTable(
        {
            "time": Time(51544, 0.5, format="mjd", scale="tt") + seconds * u.s,
            "array_altitude": np.asarray(track["ALT_PNT"]) * u.deg,
            "array_azimuth": np.asarray(track["AZ_PNT"]) * u.deg,
        }
    )
    copy = tmp_path / "monitored.h5"
    shutil.copyfile(synthetic.observation, copy)
    write_table(monitored, copy, "/dl1/monitoring/subarray/pointing")
    notes = yaml.safe_load(synthetic.notes.read_text(encoding="utf-8"))
    del notes["pointing"]
    written = tmp_path / "notes.yaml"
    written.write_text(yaml.safe_dump(notes))
    output = tmp_path / "out.fits"
    assert make(replace(synthetic, observation=copy), output, notes=written) == 0
    header = fits.getheader(output, "EVENTS")
    assert (header["RA_PNT"], header["DEC_PNT"]) == pytest.approx(INJECTED.pointing, abs=1e-6)
    assert header["OBS_MODE"] == "POINTING"
