"""The response at an observation: one response, a grid, outside of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from dpps_datapipe.dl3.grid import choose_points, grid_point, interpolate
from dpps_datapipe.dl3.sky import field_angle_deg
from dpps_datapipe.irf.reading import Axis, Response, ResponseFile

from dpps.domain.steps import ConfigurationError, InsufficientStatistics, MissingInput

ENERGY = Axis(low=np.array([0.1, 1.0]), high=np.array([1.0, 10.0]))
OFFSET = Axis(low=np.array([0.0]), high=np.array([1.0]))
RINGS = Axis(low=np.linspace(0.0, 0.9, 10), high=np.linspace(0.1, 1.0, 10))


def response(zenith: float, azimuth: float, area_m2: float, *, energy: Axis = ENERGY) -> ResponseFile:
    header = fits.Header({"ZEN_PNT": zenith, "AZ_PNT": azimuth, "B_DEC": -4.8, "B_INC": 37.4})
    axes = {"ENERG": energy, "THETA": OFFSET}
    area = Response(
        name="EFFECTIVE AREA",
        kind="AEFF_2D",
        axes=axes,
        values={"EFFAREA": np.full((1, 2), area_m2)},
        header=header,
    )
    rings = np.zeros((10, 1, 2))
    rings[:2] = 1000.0
    psf = replace(area, name="PSF", kind="PSF_TABLE", axes=axes | {"RAD": RINGS}, values={"RPSF": rings})
    return ResponseFile(path=Path(f"{zenith}-{azimuth}.fits"), responses=(area, psf))


def test_one_response_is_taken_as_it_is_and_said_so() -> None:
    choice = choose_points([grid_point(response(20.0, 180.0, 1e5))], 35.0, 170.0)
    found = interpolate(choice, "AEFF_2D", "EFFAREA")
    assert found is not None
    assert (found[1] == 1e5).all()
    assert "zenith 20.0" in choice.note
    assert "35.0" in choice.note
    assert interpolate(choice, "BKG_2D", "BKG") is None


def test_between_two_zenith_angles_the_logarithm_of_the_area_is_linear() -> None:
    points = [grid_point(response(zenith, 180.0, area)) for zenith, area in ((20.0, 1e5), (60.0, 1e6))]
    middle = np.degrees(np.arccos((np.cos(np.radians(20.0)) + 0.5) / 2.0))
    found = interpolate(choose_points(points, float(middle), 180.0), "AEFF_2D", "EFFAREA")
    assert found is not None
    assert found[1] == pytest.approx(np.full((1, 2), 10**5.5))


def test_point_spread_function_of_equal_points_stays() -> None:
    points = [grid_point(response(zenith, 180.0, 1e5)) for zenith in (20.0, 60.0)]
    found = interpolate(choose_points(points, 40.0, 180.0), "PSF_TABLE", "RPSF")
    assert found is not None
    containment = np.cumsum(found[1][:, 0, 0] * (RINGS.high**2 - RINGS.low**2))
    assert containment[1] / containment[-1] > 0.95


def test_grid_in_zenith_and_field_angle() -> None:
    points = [
        grid_point(response(zenith, azimuth, 1e5)) for zenith in (20.0, 60.0) for azimuth in (0.0, 180.0)
    ]
    assert choose_points(points, 40.0, 120.0).coordinates.shape == (4, 2)


def test_outside_of_the_grid_is_refused() -> None:
    points = [grid_point(response(zenith, 180.0, 1e5)) for zenith in (20.0, 40.0)]
    with pytest.raises(InsufficientStatistics, match=r"outside of the grid.*zenith 20.0 to 40.0"):
        choose_points(points, 50.0, 180.0)


def test_grid_of_other_bins_and_unknown_points_are_refused() -> None:
    other = Axis(low=np.array([0.2, 1.0]), high=np.array([1.0, 10.0]))
    points = [grid_point(response(20.0, 180.0, 1e5)), grid_point(response(60.0, 180.0, 1e5, energy=other))]
    with pytest.raises(ConfigurationError, match="other bins along ENERG"):
        interpolate(choose_points(points, 40.0, 180.0), "AEFF_2D", "EFFAREA")
    silent = response(20.0, 180.0, 1e5)
    area = replace(silent.responses[0], header=fits.Header())
    with pytest.raises(MissingInput, match="does not say where it was simulated"):
        grid_point(replace(silent, responses=(area,)))


def test_angle_to_the_magnetic_field() -> None:
    # Straight up, the field points 37.4 degrees below the horizon: 90 + 37.4.
    assert field_angle_deg(0.0, 0.0, -4.8, 37.4) == pytest.approx(127.4)
    assert field_angle_deg(90.0 - 37.4, 175.2, -4.8, 37.4) == pytest.approx(180.0)
