"""Angles in images of observations and of simulations have one scale, under every shipped configuration."""

from pathlib import Path

import pytest
import yaml
from ctapipe.instrument import SubarrayDescription
from ctapipe_io_zfits.instrument import build_subarray_description
from dpps_datapipe.array_description import array_description
from dpps_simpipe.instrument import load_array, subarray_description

CONFIGURATIONS = Path(__file__).parents[3] / "workflows" / "configurations"


def _focal_lengths(subarray: SubarrayDescription) -> dict[str, float]:
    return {
        str(telescope): telescope.camera.geometry.frame.focal_length.to_value("m")
        for telescope in subarray.tel.values()
    }


@pytest.mark.parametrize("name", ["process_events", "process_events_lst1"])
def test_raw_streams_and_simulations_have_the_same_scale(name: str, tmp_path: Path) -> None:
    configuration = yaml.safe_load((CONFIGURATIONS / f"{name}.yaml").read_text())
    identifier = configuration["ProtozfitsTelescopeEventSource"]["subarray_id"]
    with array_description():
        observed = build_subarray_description(identifier)
    array = {1: "ctao-north-lst1", 2: "ctao-north-lst"}[identifier]
    simulated = tmp_path / "simulated.h5"
    subarray_description(load_array(array)).to_hdf(simulated)
    choice = configuration["HDF5EventSource"]["focal_length_choice"]
    read = SubarrayDescription.from_hdf(simulated, focal_length_choice=choice)
    assert _focal_lengths(read) == pytest.approx(_focal_lengths(observed))


@pytest.mark.parametrize(
    "path", sorted(CONFIGURATIONS.glob("process_events*.yaml")), ids=lambda one: one.stem
)
def test_all_sources_of_a_configuration_have_the_same_scale(path: Path) -> None:
    configuration = yaml.safe_load(path.read_text())
    sources = ("HDF5EventSource", "SimTelEventSource")
    assert {configuration[source]["focal_length_choice"] for source in sources} == {"EFFECTIVE"}
