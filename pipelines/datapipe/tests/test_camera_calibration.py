"""Images of a camera whose pixels differ come back as true photoelectrons, in both gain channels."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import QTable
from astropy.time import Time
from ctapipe.containers import PixelStatus
from ctapipe.instrument import SubarrayDescription
from ctapipe.io import MonitoringSource, TableLoader, read_table, write_table
from ctapipe.io.hdf5dataformat import DL1_CAMERA_COEFFICIENTS_GROUP
from dpps_datapipe.array_description import array_description
from dpps_datapipe.camera_calibration import CameraCalibrationSource
from dpps_simpipe.calibration_runs.traces import CalibratedCamera, PixelTruth
from dpps_simpipe.camera.electronics import electronics_of
from dpps_simpipe.instrument import camera_description, load_array
from dpps_simpipe.observation.cameras import camera_stream
from dpps_simpipe.streams import RawEvent, StreamBlock, StreamIdentity, Tracking, write_telescope_stream
from numpy.typing import NDArray

from .conftest import CONFIGURATION, step

type Floats = NDArray[np.floating[Any]]
type Counts = NDArray[np.int64]

N_EVENTS = 3
N_SAMPLES = 40
#: Photoelectrons above which a pixel is read out in the low gain.
LOW_GAIN_ABOVE = 100
SOURCES = ("--monitoring-source=RecordedPointingSource", "--monitoring-source=CameraCalibrationSource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A stream of LST-1 and what is true of it."""

    stream: Path
    #: Shape ``(n_events, n_pixels)``.
    photoelectrons: Counts
    gain: Floats
    #: Per sample, in photoelectrons of the model: shape ``(n_channels, n_pixels)``.
    pedestal: Floats
    time_offset_ns: Floats


def _images(x_m: Floats, y_m: Floats, random: np.random.Generator) -> Counts:
    """Draw elongated images of 3000, 6000 and 9000 photoelectrons."""
    shape = np.exp(-0.5 * ((x_m - 0.3) / 0.25) ** 2 - 0.5 * (y_m / 0.08) ** 2)
    sizes = 3000.0 * np.arange(1, N_EVENTS + 1)
    return np.asarray(random.poisson(sizes[:, np.newaxis] * shape / shape.sum()))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Write the images as the camera of an LST would, one gain channel of each pixel."""
    array = load_array("ctao-north-lst")
    telescope = array.telescopes[0]
    kind, camera = telescope.kind, camera_stream(telescope)
    random = np.random.default_rng(3)
    channels = len(kind.amplitude_counts)
    pixels = PixelTruth(
        gain=1.0 + 0.1 * random.standard_normal(camera.n_pixels),
        efficiency=np.ones(camera.n_pixels),
        pedestal=8.0 * random.standard_normal((channels, camera.n_pixels)),
        time_offset=0.3 * random.standard_normal(camera.n_pixels),
    )
    geometry, simulated = camera_description(kind).geometry, CalibratedCamera(kind, pixels)
    images = _images(geometry.pix_x.to_value("m"), geometry.pix_y.to_value("m"), random)
    events = []
    for number, image in enumerate(images, start=1):
        pixel = np.repeat(np.arange(camera.n_pixels), image)
        time = kind.readout_before_trigger_ns + random.normal(0.0, 1.0, len(pixel))
        waveforms, _ = simulated.waveforms(pixel, time, np.zeros(camera.n_pixels), random)
        low = image > LOW_GAIN_ABOVE
        stored = np.where(low, PixelStatus.LOW_GAIN_STORED, PixelStatus.HIGH_GAIN_STORED)
        events.append(
            RawEvent(
                event_id=number,
                quarter_nanoseconds=number * 40_000_000,
                pixel_status=stored.astype(np.uint8) | np.uint8(PixelStatus.DVR_0),
                waveform=camera.encode(np.where(low[:, np.newaxis], waveforms[1], waveforms[0])),
            )
        )
    block = StreamBlock(
        sb_id=2000000130,
        obs_id=2000000600,
        start=datetime(2026, 1, 15, 21, tzinfo=UTC),
        duration_seconds=1.0,
        subarray_id=array.subarray_id,
        site="CTAO-North",
        tracking=Tracking(
            mode="fixed_horizontal", altitude_min_deg=70.0, altitude_max_deg=70.0, azimuth_mean_deg=180.0
        ),
        seed=3,
        origin="test",
        maker="test",
        email="test@example.org",
    )
    name = (
        f"TEL001_SDH0000_20260115T210000_SBID{block.sb_id:019d}_OBSID{block.obs_id:019d}_TEL_SHOWER_CHUNK000"
    )
    path = tmp_path_factory.mktemp("camera") / f"{name}.fits.fz"
    identity = StreamIdentity(tel_id=1, data_type="AirShowerSim", title="images of known photoelectrons")
    write_telescope_stream(
        path, block=block, camera=camera, identity=identity, events=events, n_events=N_EVENTS
    )
    count = electronics_of(kind).least_count / simulated.camera.pulses.area[0]
    return Taken(
        stream=path,
        photoelectrons=images,
        gain=pixels.gain,
        pedestal=pixels.pedestal * count[:, np.newaxis],
        time_offset_ns=pixels.time_offset,
    )


def _calibration(path: Path, taken: Taken, *, tel_id: int = 1, **changes: Any) -> Path:
    """Write the coefficients that undo what was injected, in ctapipe's format."""
    shape = (1, *taken.pedestal.shape)
    columns = {
        "time": Time(["2026-01-15T20:00:00"], scale="utc"),
        "factor": np.broadcast_to(1.0 / taken.gain, shape).copy(),
        "pedestal_offset": taken.pedestal[np.newaxis],
        "time_shift": np.broadcast_to(taken.time_offset_ns, shape).copy(),
        "outlier_mask": np.zeros(shape, dtype=bool),
        "is_valid": np.array([True]),
    }
    with array_description():
        array = SubarrayDescription.from_service_data(2)
    array.select_subarray([tel_id]).to_hdf(path)
    write_table(QTable(columns | changes), path, f"{DL1_CAMERA_COEFFICIENTS_GROUP}/tel_{tel_id:03d}")
    return path


def _process(taken: Taken, output: Path, *more: str) -> int:
    words = ["--config", str(CONFIGURATION), "--input", str(taken.stream), "--output", str(output)]
    words += ["--write-images", "--CameraCalibrator.image_extractor_type=FullWaveformSum"]
    return step("process", *words, "--provenance-log", str(output.with_suffix(".log")), *more)


def _read(path: Path) -> Floats:
    return np.asarray(read_table(path, "/dl1/event/telescope/images/tel_001")["image"], dtype=float)


def _ratios(images: Floats, taken: Taken, *, low: bool) -> Floats:
    """Image over truth, in pixels of one gain channel that hold at least 20 photoelectrons."""
    truth = taken.photoelectrons
    chosen = (truth > LOW_GAIN_ABOVE) if low else (truth > 20) & (truth <= LOW_GAIN_ABOVE)
    return np.asarray(images[chosen] / truth[chosen])


@pytest.mark.verifies_usecase("UC-130-1.2.1")
def test_coefficients_give_the_true_photoelectrons_back(taken: Taken, tmp_path: Path) -> None:
    calibration = _calibration(tmp_path / "TEL001_camera.h5", taken)
    output = tmp_path / "calibrated.h5"
    named = f"--HDF5MonitoringSource.input_files={calibration}"
    assert _process(taken, output, *SOURCES, named) == 0
    images = _read(output)
    total = images.sum(axis=1) / taken.photoelectrons.sum(axis=1)
    assert total == pytest.approx(np.ones(N_EVENTS), abs=0.03)
    for low in (False, True):
        ratios = _ratios(images, taken, low=low)
        assert len(ratios) > 20
        assert ratios.mean() == pytest.approx(1.0, abs=0.03)
    # The pixels themselves: gains of 10 % and pedestals are gone, single photoelectrons remain.
    calibrated = _ratios(images, taken, low=False)
    plain = tmp_path / "plain.h5"
    assert _process(taken, plain) == 0
    assert calibrated.std() < 0.6 * _ratios(_read(plain), taken, low=False).std()
    # The recorded pointing is there beside the calibration, for models of the displacement too.
    with TableLoader(output, pointing=True) as loader:
        events = loader.read_telescope_events(telescopes=[1])
    assert events["telescope_pointing_altitude"].quantity.to_value("deg") == pytest.approx(70.0)


def test_bright_pixels_of_the_low_gain_are_no_broken_ones(taken: Taken, tmp_path: Path) -> None:
    """The stock tool puts the mean of their neighbours in their place."""
    output = tmp_path / "plain.h5"
    assert _process(taken, output) == 0
    images, low = _read(output), taken.photoelectrons > LOW_GAIN_ABOVE
    assert low.any(axis=1)[1:].all()
    # Without coefficients: pedestals of all samples and gains are still in.
    found = ((images - N_SAMPLES * taken.pedestal[1]) / taken.gain)[low]
    assert found / taken.photoelectrons[low] == pytest.approx(np.ones(len(found)), abs=0.3)
    assert (found / taken.photoelectrons[low]).mean() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("change", "exit_code", "message"),
    [
        (lambda _: {"tel_id": 2}, 105, "no calibration coefficients for telescope 1"),
        (lambda _: {"is_valid": np.array([False])}, 105, "marked as not valid"),
        (lambda _: {"time": Time(["2026-01-16T20:00:00"])}, 105, "no calibration of telescope 1 at"),
        (
            lambda taken: {"factor": np.full((1, *taken.pedestal.shape), np.nan)},
            104,
            "factor of telescope 1 is not finite in pixels that are no outliers",
        ),
        (
            lambda taken: {"pedestal_offset": taken.pedestal[np.newaxis, :, :7]},
            104,
            "pedestal_offset of telescope 1 has the shape (2, 7), its camera (2, 1855)",
        ),
    ],
)
def test_calibration_that_does_not_suit_is_refused(
    change: Callable[[Taken], dict[str, Any]],
    exit_code: int,
    message: str,
    taken: Taken,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calibration = _calibration(tmp_path / "camera.h5", taken, **change(taken))
    output = tmp_path / "out.h5"
    named = f"--HDF5MonitoringSource.input_files={calibration}"
    assert _process(taken, output, *SOURCES, named) == exit_code
    error = capsys.readouterr().err
    assert "camera.h5: " in error
    assert message in error
    assert not output.exists()


def test_ctapipe_finds_the_source_as_a_plugin() -> None:
    """By its entry point: the stock tools know it without an import of this package."""
    found = [one for one in entry_points(group="ctapipe_monitoring") if one.name == "CameraCalibrationSource"]
    assert [one.load() for one in found] == [CameraCalibrationSource]
    assert MonitoringSource.plugin_entry_point == "ctapipe_monitoring"
    assert MonitoringSource.non_abstract_subclasses()["CameraCalibrationSource"] is CameraCalibrationSource
