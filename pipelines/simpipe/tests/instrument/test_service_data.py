"""Service data: what ctapipe reads is what the model says."""

import json
from pathlib import Path

import pytest
from ctapipe.instrument import SubarrayDescription
from dpps_simpipe.instrument import array_names, load_array, subarray_description
from dpps_simpipe.service_data import write_service_data

from dpps.domain.errors import Conflict, InvalidInput, NotFound


@pytest.mark.parametrize("name", array_names())
def test_subarray_read_back_is_that_of_the_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = load_array(name)
    monkeypatch.setenv("CTAPIPE_SVC_PATH", str(write_service_data(name, tmp_path)))
    # What is missing would be looked for over the network.
    monkeypatch.setattr("ctapipe.utils.datasets.download_file_cached", None)
    found = SubarrayDescription.from_service_data(array.subarray_id)
    assert found == subarray_description(array)
    assert {tel_id: one.name for tel_id, one in found.tel.items()} == {
        one.tel_id: one.name for one in array.telescopes
    }
    camera = found.tel[array.telescopes[0].tel_id].camera.geometry
    kind = array.telescopes[0].kind
    assert camera.frame.focal_length.to_value("m") == kind.effective_focal_length_m


def test_folder_of_two_sites(tmp_path: Path) -> None:
    names = ("ctao-north-lst", "ctao-north-alpha", "ctao-south-alpha")
    folder = write_service_data(names, tmp_path)
    files = [path for path in folder.rglob("*") if path.is_file()]
    # Metadata and identifiers, positions of each site, three files of each telescope.
    assert len(files) == 3 + 2 + 3 * (13 + 51)
    subarrays = json.loads((folder / "subarray-ids.json").read_text())["subarrays"]
    assert [(one["name"], one["site"], len(one["array_element_ids"])) for one in subarrays] == [
        ("ctao-north-lst", "CTAO-North", 4),
        ("ctao-north-alpha", "CTAO-North", 13),
        ("ctao-south-alpha", "CTAO-South", 51),
    ]


def test_another_description_is_not_overwritten(tmp_path: Path) -> None:
    folder = write_service_data("ctao-north-lst1", tmp_path)
    assert write_service_data("ctao-north-lst1", tmp_path) == folder
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Conflict, match="describes something else") as caught:
        write_service_data("ctao-north-lst", tmp_path)
    assert caught.value.next_step
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_requests_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="veritas"):
        write_service_data(["ctao-north-lst1", "veritas"], tmp_path)
    with pytest.raises(InvalidInput, match="no array"):
        write_service_data([], tmp_path)
    assert list(tmp_path.iterdir()) == []
