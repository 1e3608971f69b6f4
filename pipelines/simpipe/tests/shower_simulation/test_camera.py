"""Mirrors, cameras, electronics and triggers."""

import math

import numpy as np
import pytest
from dpps_simpipe.camera.electronics import analogue_trace, electronics_of, noise_pool, read_out
from dpps_simpipe.camera.optics import imaged, pointing_axes
from dpps_simpipe.camera.tables import Camera, prepare_camera
from dpps_simpipe.camera.trigger import array_trigger, majority_trigger, may_trigger, sum_trigger
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.instrument import TelescopeType, camera_description, load_array
from dpps_simpipe.simulation.kinematics import shower_axis
from numpy.random import Generator, Philox

NORTH = load_array("ctao-north-alpha")
SOUTH = load_array("ctao-south-alpha")
KINDS = {kind.name: kind for kind in (*NORTH.kinds, *SOUTH.kinds)}
ALTITUDE, AZIMUTH = math.radians(70.0), math.radians(30.0)


def _random() -> Generator:
    return Generator(Philox(5))


def _parallel_light(kind: TelescopeType, above: float, beside: float, count: int = 4000) -> FloatArray:
    """Make light from a direction: angles (rad) above the pointing and to greater azimuth."""
    axes = pointing_axes(ALTITUDE, AZIMUTH)
    source = axes[2] + math.tan(above) * axes[0] + math.tan(beside) * axes[1]
    source /= np.linalg.norm(source)
    random = _random()
    place = (random.random((count, 2)) - 0.5) * 2 * kind.dish_edge_m
    photons = np.zeros((count, 8), dtype=np.float32)
    photons[:, :3] = place @ axes[:2]
    photons[:, 3:6] = -source
    return photons


def _image_centre(
    kind: TelescopeType, above: float, beside: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    camera = prepare_camera(kind)
    photons = _parallel_light(kind, above, beside)
    pixel, time = imaged(photons, pointing_axes(ALTITUDE, AZIMUTH), camera.optics, camera.raster, _random())
    geometry = camera_description(kind).geometry
    seen = pixel >= 0
    return geometry.pix_x.value[pixel[seen]], geometry.pix_y.value[pixel[seen]], time[seen]


def test_axes_of_a_pointing_are_right_handed_and_follow_the_sky() -> None:
    axes = pointing_axes(ALTITUDE, AZIMUTH)
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
    assert axes[2] == pytest.approx(-np.array(shower_axis(ALTITUDE, AZIMUTH)))
    step = 1e-6
    assert (pointing_axes(ALTITUDE + step, AZIMUTH)[2] - axes[2]) / step == pytest.approx(axes[0], abs=1e-5)
    east = (pointing_axes(ALTITUDE, AZIMUTH + step)[2] - axes[2]) / step / math.cos(ALTITUDE)
    assert east == pytest.approx(axes[1], abs=1e-5)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_star_on_the_axis_is_seen_in_the_middle_of_the_camera(name: str) -> None:
    kind = KINDS[name]
    # Between the modules of the SST's camera there are gaps, one of them in the middle.
    angle = math.radians(0.55) if name == "SST" else 0.0
    x, y, time = _image_centre(kind, angle, angle)
    x, y = x - kind.focal_length_m * angle, y - kind.focal_length_m * angle
    pixel = camera_description(kind).geometry.pixel_width.value[0]
    assert np.hypot(np.mean(x), np.mean(y)) < 0.5 * pixel
    assert len(x) / 4000 == pytest.approx(math.pi / 4, abs=0.05)
    # A parabola keeps light of one instant together, a Davies-Cotton dish spreads it by some ns.
    assert np.ptp(time) < (0.2 if name in ("LST", "SST") else 6.0)


@pytest.mark.parametrize("name", ["LST", "MST-NectarCam"])
def test_plate_scale_is_the_effective_focal_length(name: str) -> None:
    kind = KINDS[name]
    angle = math.radians(1.5)
    x, _, _ = _image_centre(kind, angle, 0.0)
    assert x.mean() == pytest.approx(kind.effective_focal_length_m * angle, rel=0.02)
    _, y, _ = _image_centre(kind, 0.0, -angle)
    assert y.mean() == pytest.approx(-kind.effective_focal_length_m * angle, rel=0.02)


def test_off_axis_stars_are_blurred_by_coma() -> None:
    kind = KINDS["LST"]
    on_axis = np.std(_image_centre(kind, 0.0, 0.0)[0])
    off_axis = np.std(_image_centre(kind, math.radians(1.8), 0.0)[0])
    assert off_axis > 1.3 * on_axis


def test_light_beside_the_dish_is_lost() -> None:
    kind = KINDS["MST-NectarCam"]
    photons = _parallel_light(kind, 0.0, 0.0)
    photons[:, :3] += 3 * kind.dish_edge_m * pointing_axes(ALTITUDE, AZIMUTH)[0].astype(np.float32)
    camera = prepare_camera(kind)
    pixel, _ = imaged(photons, pointing_axes(ALTITUDE, AZIMUTH), camera.optics, camera.raster, _random())
    assert np.all(pixel == -1)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_pixel_is_found_at_its_own_place(name: str) -> None:
    geometry = camera_description(KINDS[name]).geometry
    raster = prepare_camera(KINDS[name]).raster
    i = ((geometry.pix_x.value - raster.origin) / raster.step).astype(int)
    j = ((geometry.pix_y.value - raster.origin) / raster.step).astype(int)
    assert np.array_equal(raster.cells[i, j], np.arange(geometry.n_pixels))


def test_trigger_groups() -> None:
    lst = prepare_camera(KINDS["LST"])
    assert len(lst.group_start) - 1 == 535  # three touching modules out of 265
    assert set(np.diff(lst.group_start)) == {21}
    flashcam = prepare_camera(KINDS["MST-FlashCam"])
    assert np.median(np.diff(flashcam.group_start)) == 9
    nectar = prepare_camera(KINDS["MST-NectarCam"])
    assert np.median(np.diff(nectar.group_start)) == 6


def _quiet(camera: Camera, samples: int) -> FloatArray:
    return np.zeros((camera.n_pixels, samples), dtype=np.float32)


def test_charge_of_a_pulse_is_its_number_of_photoelectrons() -> None:
    kind = KINDS["LST"]
    camera, electronics = prepare_camera(kind), electronics_of(kind)
    pool = _quiet(camera, 200)
    pixel = np.repeat([5, 17], [30, 400]).astype(np.int32)
    time = np.full(len(pixel), 25.0)
    trace, charge = analogue_trace(
        pixel, time, 0.0, camera.n_pixels, 100, camera.pulses, 0.0, pool, _random()
    )
    waveform, channel = read_out(
        trace, 10, 60, pixel, time, charge, 0.0, camera.pulses, electronics, _random()
    )
    total = waveform.sum(axis=1)
    assert total[5] == pytest.approx(30, rel=0.03)
    assert channel[5] == 0
    # 400 photoelectrons at once are beyond the high gain: the low gain measures them.
    assert channel[17] == 1
    assert total[17] == pytest.approx(400, rel=0.1)
    assert np.all(total[[1, 2, 3]] == 0)


def test_low_gain_saturates() -> None:
    kind = KINDS["LST"]
    camera, electronics = prepare_camera(kind), electronics_of(kind)
    pixel = np.full(6000, 5, dtype=np.int32)
    time = np.full(len(pixel), 25.0)
    trace, charge = analogue_trace(
        pixel, time, 0.0, camera.n_pixels, 100, camera.pulses, 0.0, _quiet(camera, 200), _random()
    )
    waveform, _ = read_out(trace, 10, 60, pixel, time, charge, 0.0, camera.pulses, electronics, _random())
    assert waveform[5].max() * camera.pulses.area[1] == pytest.approx(electronics.limit[1], rel=1e-3)


def test_night_sky_has_no_mean_and_its_own_spread() -> None:
    kind = KINDS["MST-NectarCam"]
    camera, electronics = prepare_camera(kind), electronics_of(kind)
    pool = noise_pool(300, 300, camera.pulses, electronics, _random())
    assert pool.mean() == pytest.approx(0.0, abs=0.05)
    # Campbell's theorem: variance = rate ∫pulse² (1 + σ²), plus the electronic noise.
    square = (camera.pulses.shape[0] ** 2).sum() * camera.pulses.step
    variance = electronics.sky_rate * square * (1 + electronics.charge_sigma**2) + electronics.noise[0] ** 2
    assert pool.var() == pytest.approx(variance, rel=0.06)


def test_sum_trigger_fires_when_a_group_is_bright_enough() -> None:
    camera = prepare_camera(KINDS["LST"])
    trace = _quiet(camera, 20)
    trace[camera.group_pixels[:21], 7] = 2.0
    assert sum_trigger(trace, camera.group_start, camera.group_pixels, 41.9) == 7
    assert sum_trigger(trace, camera.group_start, camera.group_pixels, 42.1) == -1


@pytest.mark.parametrize("name", ["LST", "MST-FlashCam"])
def test_sum_trigger_agrees_with_plain_sums(name: str) -> None:
    camera = prepare_camera(KINDS[name])
    trace = _random().normal(size=(camera.n_pixels, 30)).astype(np.float32)
    groups = np.split(camera.group_pixels, camera.group_start[1:-1])
    largest = np.array([trace[group].sum(axis=0, dtype=float) for group in groups]).max(axis=0)
    for threshold in np.quantile(largest, [0.1, 0.5, 0.9]):
        found = sum_trigger(trace, camera.group_start, camera.group_pixels, float(threshold))
        assert found == int(np.argmax(largest > threshold))
    assert sum_trigger(trace, camera.group_start, camera.group_pixels, float(largest.max()) + 0.1) == -1


def test_majority_trigger_needs_three_pixels_together() -> None:
    camera = prepare_camera(KINDS["MST-NectarCam"])
    trace = _quiet(camera, 20)
    near = camera.group_pixels[camera.group_start[100] : camera.group_start[101]]
    trace[100, 5:] = 6.0
    trace[near[0], 6:] = 6.0
    assert majority_trigger(trace, camera.group_start, camera.group_pixels, 5.0) == -1
    trace[near[1], 9:] = 6.0
    assert majority_trigger(trace, camera.group_start, camera.group_pixels, 5.0) == 9


def test_faint_cameras_are_not_looked_at() -> None:
    for name in ("LST", "MST-NectarCam"):
        camera = prepare_camera(KINDS[name])
        image = np.zeros(camera.n_pixels, dtype=np.int32)
        image[[100, 1500]] = 5
        assert not may_trigger(image, camera.group_start, camera.group_pixels, 10.0)
        image[100] = 10
        assert may_trigger(image, camera.group_start, camera.group_pixels, 10.0)


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ({}, ()),
        ({5: 0.0}, ()),
        ({5: 0.0, 6: 150.0}, (5, 6)),
        ({5: 0.0, 6: 500.0}, ()),
        ({1: 0.0, 5: 10.0}, ()),  # a lone LST does not count
        ({1: 0.0, 5: 10.0, 6: 20.0}, (5, 6)),
        ({1: 0.0, 2: 10.0}, (1, 2)),
        ({1: 0.0, 2: 10.0, 5: 20.0, 6: 900.0}, (1, 2, 5)),
    ],
)
def test_array_trigger(times: dict[int, float], chosen: tuple[int, ...]) -> None:
    assert array_trigger(NORTH, times) == chosen


def test_a_single_telescope_array_triggers_alone() -> None:
    assert array_trigger(load_array("ctao-north-lst1"), {1: 0.0}) == (1,)
