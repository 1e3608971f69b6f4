"""The model of the package: every value is checked, has a source, and reaches the simulator."""

import math
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml
from dpps_simpipe.instrument import load_array, load_model, packaged_versions
from dpps_simpipe.instrument.consistency import check_model
from dpps_simpipe.instrument.derive import USED_PARAMETERS, element_id
from dpps_simpipe.instrument.parameters import definitions
from dpps_simpipe.instrument.store import read_model

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the package's model, to be damaged."""
    return Path(shutil.copytree(load_model().folder, tmp_path / "own"))


def test_model_of_the_package_has_no_faults() -> None:
    model = load_model()
    assert check_model(model) == []
    assert {key for key in model.parameters if not model.source(*key)} == set()
    assert read_model(model.folder).sha256 == model.sha256
    assert load_model(packaged_versions()[0]) is model


def test_values_reach_the_simulator_in_its_units() -> None:
    array = load_array("ctao-north-alpha")
    lst = array.telescopes[0].kind
    assert load_model().find("LSTN-design", "focal_length").document["unit"] == "cm"
    assert (lst.focal_length_m, lst.effective_focal_length_m, lst.focus_offset_m) == (28.0, 29.237, 0.0655)
    assert (lst.amplitude_counts, lst.noise_counts) == ((25.69, 1.315), (6.7, 5.7))
    assert (lst.trigger, lst.reflector_shape, lst.n_mirrors, lst.dish_radius_m) == (
        "sum",
        "PARABOLIC",
        1,
        0.0,
    )
    assert "optical_spot_sigma" in lst.estimated
    mst = array.telescopes[-1].kind
    assert (mst.trigger, mst.reflector_shape, mst.dish_radius_m) == ("majority", "HYBRID", 19.2)
    assert math.degrees(array.field_declination_rad) == pytest.approx(-4.3167, abs=1e-4)
    assert array.efficiencies["LSTCam"].at(np.array([400.0])) == pytest.approx(0.4027 * 0.9313 * 0.9130)


def test_all_used_parameters_are_defined() -> None:
    used = {name for names in USED_PARAMETERS.values() for name in names}
    assert used <= definitions().keys()
    assert {definitions()[name].origin for name in used} == {"simtools", "dpps"}


@pytest.mark.parametrize(
    ("name", "number"), [("LSTN-04", 4), ("MSTN-15", 19), ("MSTS-01", 105), ("SSTS-50", 168)]
)
def test_numbers_of_telescopes(name: str, number: int) -> None:
    assert element_id(name) == number


@pytest.mark.parametrize("name", ["LSTN-05", "SSTN-01", "MSTS-00", "CT1"])
def test_telescopes_that_are_not_the_observatorys(name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        element_id(name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "new"}, "is not like 1.0.0"),
        ({"valid_from": "soon"}, "valid_from is 'soon', not a day"),
        ({"valid_until": date(2019, 1, 1)}, "valid_until is before valid_from"),
        ({"origins": {}}, "no source for"),
        ({"colour": "red"}, "unknown or missing key colour"),
        ({"dpps_instrument_model": 2}, "is no instrument model"),
        ({"arrays": {"a": {"site": "North"}}}, "array a"),
        ({"arrays": ["ctao-north-lst"]}, "arrays is no mapping"),
        ({"sources": {"prod6": 7}}, "is no mapping to texts"),
        ({"origins": {"LSTN-design": ["prod6"]}}, "is no mapping to texts"),
    ],
)
def test_wrong_heads_are_refused(own: Path, changes: dict[str, object], words: str) -> None:
    path = own / "model.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
    with pytest.raises(InvalidInput, match=r"model\.yaml") as caught:
        load_model(own)
    assert words in caught.value.message


def test_missing_and_damaged_models_are_refused(own: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no instrument model 0\.0\.1"):
        load_model("0.0.1")
    table = own / "files/LSTN-design/LSTCam.camgeom.fits.gz"
    table.rename(own.parent / table.name)
    table.symlink_to(own.parent / table.name)
    with pytest.raises(NotFound, match=r"LSTCam\.camgeom"):
        load_model(own)
    table.unlink()
    with pytest.raises(NotFound, match=r"LSTCam\.camgeom"):
        load_model(own)
    (own / "model.yaml").write_text("{")
    with pytest.raises(DamagedFile, match="is no YAML"):
        load_model(own)
