"""The instrument model: telescopes, cameras, arrays and sites as versioned data of the package."""

from dpps_simpipe.instrument.library import (
    array_names,
    camera_description,
    load_array,
    optics_description,
    reference_location,
    subarray_description,
)
from dpps_simpipe.instrument.model import Array, Efficiency, Telescope, TelescopeType
from dpps_simpipe.instrument.store import InstrumentModel, load_model, named_model, packaged_versions
from dpps_simpipe.instrument.validity import check_validity

__all__ = [
    "Array",
    "Efficiency",
    "InstrumentModel",
    "Telescope",
    "TelescopeType",
    "array_names",
    "camera_description",
    "check_validity",
    "load_array",
    "load_model",
    "named_model",
    "optics_description",
    "packaged_versions",
    "reference_location",
    "subarray_description",
]
