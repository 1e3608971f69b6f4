"""The array description that comes with the package."""

import os
from pathlib import Path

import pytest
from ctapipe.exceptions import UnknownSubarray
from dpps_datapipe.array_description import VARIABLE, array_description, packaged_description
from dpps_datapipe.steps.run import translate
from dpps_simpipe.instrument import array_names
from dpps_simpipe.service_data import write_service_data

from dpps.domain.steps import ConfigurationError


def test_packaged_description_is_what_the_model_gives(tmp_path: Path) -> None:
    packaged = packaged_description()
    written = write_service_data(array_names(), tmp_path)
    found, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (packaged, written)
    )
    different = [
        str(name) for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    ]
    assert different == [], f"dpps-simpipe service-data {' '.join(array_names())} --output {packaged.parent}"


def test_description_of_the_user_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = str(write_service_data("ctao-north-lst1", tmp_path))
    monkeypatch.setenv(VARIABLE, own)
    with array_description():
        assert os.environ[VARIABLE] == own
    other = str(tmp_path)
    monkeypatch.setenv(VARIABLE, other)
    with array_description():
        assert os.environ[VARIABLE] == f"{other}:{packaged_description()}"
    assert os.environ[VARIABLE] == other


def test_without_a_variable_the_package_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with array_description():
        assert os.environ[VARIABLE] == str(packaged_description())
    assert VARIABLE not in os.environ


def test_unknown_subarray_names_the_variable_and_the_way_out() -> None:
    error = translate(UnknownSubarray("Subarray ID 77 not found"), [Path("SUB077.fits.fz")])
    assert isinstance(error, ConfigurationError)
    assert "SUB077.fits.fz: no array description fits" in str(error)
    assert VARIABLE in error.next_step
    assert "dpps-simpipe service-data" in error.next_step
