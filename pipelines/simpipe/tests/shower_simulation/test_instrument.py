"""Arrays and telescope types of the package."""

import math

import astropy.units as u
import numpy as np
import pytest
from ctapipe.instrument import SubarrayDescription
from ctapipe_io_zfits.instrument import get_array_elements_by_id
from dpps_simpipe.atmosphere import Atmosphere
from dpps_simpipe.instrument import array_names, load_array, subarray_description
from dpps_simpipe.simulation.light import YIELD_STEP, LightYields, make_targets

from dpps.domain.errors import NotFound


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ctao-north-alpha", {"LST": 4, "MST": 9}),
        ("ctao-south-alpha", {"MST": 14, "SST": 37}),
        ("ctao-north-lst", {"LST": 4}),
        ("ctao-north-lst1", {"LST": 1}),
    ],
)
def test_arrays_in_ctapipes_terms(name: str, counts: dict[str, int]) -> None:
    subarray = subarray_description(load_array(name))
    assert isinstance(subarray, SubarrayDescription)
    found = [description.optics.size_type.name for description in subarray.tel.values()]
    assert {kind: found.count(kind) for kind in set(found)} == counts
    assert subarray.reference_location.geodetic.height.to_value(u.m) == pytest.approx(2150, abs=10)


def test_all_arrays_load() -> None:
    assert {load_array(name).site for name in array_names()} == {"CTAO-NORTH", "CTAO-SOUTH"}


def test_telescopes_have_the_numbers_of_the_observatory() -> None:
    numbers = {
        telescope.name: telescope.tel_id
        for name in array_names()
        for telescope in load_array(name).telescopes
    }
    published = {element["name"]: element_id for element_id, element in get_array_elements_by_id().items()}
    assert numbers.items() <= published.items()
    assert load_array("ctao-north-lst").subarray_id == 2


def test_unknown_array_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="veritas") as caught:
        load_array("veritas")
    assert "ctao-north-alpha" in caught.value.next_step


def test_magnetic_fields_point_north_and_into_or_out_of_the_ground() -> None:
    north, south = load_array("ctao-north-alpha").field, load_array("ctao-south-alpha").field
    assert north[0] > 0 > north[2]
    assert south[0] > 0
    assert south[2] > 0
    assert math.hypot(*north) == pytest.approx(38.77e-6, rel=1e-3)


def test_light_yield_of_large_telescopes(atmosphere: Atmosphere) -> None:
    array = load_array("ctao-north-alpha")
    yields = LightYields(array, atmosphere).at(1.0)
    low, high = (yields[:, int(altitude / YIELD_STEP)] for altitude in (3e3, 12e3))
    # Photons from further away pass more air; dispersion is an effect of a per cent.
    assert np.all(high < low)
    plain = LightYields(array, atmosphere, with_dispersion=False).at(1.0)
    assert yields / plain == pytest.approx(1.0, abs=0.02)
    assert np.all(LightYields(array, atmosphere).at(0.5) <= yields)


def test_targets_are_the_telescopes_around_each_core(atmosphere: Atmosphere) -> None:
    array = load_array("ctao-north-lst")
    cores = np.array([[10.0, 0.0], [0.0, -30.0]])
    targets = make_targets(array, LightYields(array, atmosphere).at(1.0), cores)
    assert targets.position.shape == (8, 3)
    assert targets.position[4] == pytest.approx(array.positions[0] + [0.0, 30.0, 0.0])
