"""The reconstruction without coordinate frames gives what the stock one gives."""

import astropy.units as u
import numpy as np
import pytest
from ctapipe.containers import (
    ArrayEventContainer,
    CameraHillasParametersContainer,
    HillasParametersContainer,
    ImageParametersContainer,
)
from ctapipe.instrument import SubarrayDescription
from ctapipe.reco import HillasReconstructor
from dpps_datapipe.array_description import array_description
from dpps_datapipe.stereo import PlainHillasReconstructor
from traitlets.config import Config

#: Identifier of the four LSTs of CTAO-North.
LSTS_NORTH = 2
CONFIGURATION = Config(
    {"StereoQualityQuery": {"quality_criteria": [("enough light", "parameters.hillas.intensity > 50")]}}
)


@pytest.fixture(scope="module")
def subarray() -> SubarrayDescription:
    with array_description():
        return SubarrayDescription.from_service_data(LSTS_NORTH)


def _event(
    subarray: SubarrayDescription, seed: int, *, in_camera: bool, images: int = 4
) -> ArrayEventContainer:
    """Make an event of telescopes that do not look quite in one direction, as when they track."""
    random = np.random.default_rng(seed)
    event = ArrayEventContainer()
    altitude, azimuth = random.uniform(40.0, 85.0), random.uniform(0.0, 360.0)
    event.monitoring.pointing.array_altitude = altitude * u.deg
    event.monitoring.pointing.array_azimuth = azimuth * u.deg
    event.trigger.tels_with_trigger = np.array(list(subarray.tel))
    for number, tel_id in enumerate(subarray.tel):
        pointing = event.monitoring.tel[tel_id].pointing
        pointing.altitude = (altitude + random.normal(scale=0.02)) * u.deg
        pointing.azimuth = (azimuth + random.normal(scale=0.02)) * u.deg
        centre = random.normal(scale=0.8, size=2)
        shape = {"psi": random.uniform(-90.0, 90.0) * u.deg, "intensity": 300.0 if number < images else 10.0}
        hillas = (
            CameraHillasParametersContainer(
                x=0.5 * centre[0] * u.m, y=0.5 * centre[1] * u.m, length=0.1 * u.m, width=0.04 * u.m, **shape
            )
            if in_camera
            else HillasParametersContainer(
                fov_lon=centre[0] * u.deg, fov_lat=centre[1] * u.deg, length=0.2 * u.deg, width=0.08 * u.deg,
                **shape,
            )
        )  # fmt: skip
        event.dl1.tel[tel_id].parameters = ImageParametersContainer(hillas=hillas)
    return event


@pytest.mark.parametrize("in_camera", [False, True], ids=["telescope frame", "camera frame"])
@pytest.mark.parametrize("seed", range(5))
def test_results_are_those_of_the_stock_component(
    subarray: SubarrayDescription, seed: int, in_camera: bool
) -> None:
    stock, plain = (_event(subarray, seed, in_camera=in_camera) for _ in range(2))
    HillasReconstructor(subarray, config=CONFIGURATION)(stock)
    PlainHillasReconstructor(subarray, config=CONFIGURATION)(plain)
    expected, found = (event.dl2.stereo.geometry["HillasReconstructor"] for event in (stock, plain))
    assert found.prefix == expected.prefix
    assert found.is_valid
    assert found.telescopes == expected.telescopes
    assert found.average_intensity == expected.average_intensity
    for name in ("alt", "az", "core_x", "core_y", "core_tilted_x", "core_tilted_y", "h_max", "alt_uncert"):
        assert found[name].unit.is_equivalent(expected[name].unit)
        assert found[name].to_value(expected[name].unit) == pytest.approx(expected[name].value, rel=1e-7), (
            name
        )
    for tel_id in subarray.tel:
        one, other = (event.dl2.tel[tel_id].impact["HillasReconstructor"] for event in (plain, stock))
        assert one.prefix == other.prefix
        assert one.distance.to_value(u.m) == pytest.approx(other.distance.to_value(u.m), rel=1e-7)
        psi, stock_psi = (event.dl1.tel[tel_id].parameters.core.psi for event in (plain, stock))
        assert psi.to_value(u.deg) == pytest.approx(stock_psi.to_value(u.deg), rel=1e-7)


def test_one_image_is_no_shower(subarray: SubarrayDescription) -> None:
    event = _event(subarray, 1, in_camera=False, images=1)
    PlainHillasReconstructor(subarray, config=CONFIGURATION)(event)
    geometry = event.dl2.stereo.geometry["HillasReconstructor"]
    assert not geometry.is_valid
    assert geometry.telescopes == []
    assert all(np.isnan(tel.impact["HillasReconstructor"].distance) for tel in event.dl2.tel.values())
    assert len(event.dl2.tel) == len(subarray.tel)
