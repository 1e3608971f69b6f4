"""Arrays of the instrument model, for the simulator and in ctapipe's terms."""

from functools import lru_cache
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import EarthLocation
from astropy.table import Table
from ctapipe.coordinates import CameraFrame
from ctapipe.instrument import (
    CameraDescription,
    CameraGeometry,
    CameraReadout,
    OpticsDescription,
    ReflectorShape,
    SizeType,
    SubarrayDescription,
    TelescopeDescription,
)

from dpps_simpipe.instrument.derive import make_array
from dpps_simpipe.instrument.model import Array, TelescopeType
from dpps_simpipe.instrument.store import load_model

__all__ = [
    "array_names",
    "camera_description",
    "load_array",
    "optics_description",
    "reference_location",
    "subarray_description",
]


def array_names(model: str | Path = "") -> tuple[str, ...]:
    """Give the names of the arrays of a model.

    Parameters
    ----------
    model : str or Path
        Version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    tuple of str
        Names.
    """
    return tuple(load_model(model).arrays)


def load_array(name: str, model: str | Path = "") -> Array:
    """Load an array of a model.

    Parameters
    ----------
    name : str
        One of `array_names`.
    model : str or Path
        Version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    Array
        Telescopes, site and efficiencies.

    Raises
    ------
    NotFound
        No array has this name.
    """
    return make_array(load_model(model), name)


@lru_cache(maxsize=16)
def camera_description(kind: TelescopeType) -> CameraDescription:
    """Load the camera of a telescope type.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.

    Returns
    -------
    CameraDescription
        Geometry in the camera frame of the effective focal length, and read-out.
    """
    geometry = CameraGeometry.from_table(Table.read(kind.geometry_file))
    geometry.frame = CameraFrame(focal_length=kind.effective_focal_length_m * u.m)
    readout = CameraReadout.from_table(Table.read(kind.readout_file))
    return CameraDescription(name=kind.camera, geometry=geometry, readout=readout)


def optics_description(kind: TelescopeType) -> OpticsDescription:
    """Describe the optics of a telescope type in ctapipe's terms.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.

    Returns
    -------
    OpticsDescription
        The same, for ctapipe.
    """
    return OpticsDescription(
        name=kind.optics_name,
        size_type=SizeType[kind.size_type],
        reflector_shape=ReflectorShape[kind.reflector_shape],
        n_mirrors=kind.n_mirrors,
        equivalent_focal_length=kind.focal_length_m * u.m,
        effective_focal_length=kind.effective_focal_length_m * u.m,
        mirror_area=kind.mirror_area_m2 * u.m**2,
        n_mirror_tiles=kind.n_mirror_tiles,
    )


def _location(array: Array) -> EarthLocation:
    return EarthLocation(
        lon=array.longitude_deg * u.deg,
        lat=array.latitude_deg * u.deg,
        height=array.observation_level_m * u.m,
    )


def reference_location(array: Array) -> tuple[float, float, float]:
    """Give the point that positions of telescopes are relative to.

    Parameters
    ----------
    array : Array
        The array.

    Returns
    -------
    tuple of float
        Geocentric coordinates (ITRS) in m.
    """
    return tuple(float(value.to_value(u.m)) for value in _location(array).geocentric)  # type: ignore[return-value] # three values


def subarray_description(array: Array) -> SubarrayDescription:
    """Describe an array in ctapipe's terms.

    Parameters
    ----------
    array : Array
        The array.

    Returns
    -------
    SubarrayDescription
        The same, for ctapipe.
    """
    return SubarrayDescription(
        name=array.name,
        tel_positions={one.tel_id: np.array(one.position_m) * u.m for one in array.telescopes},
        tel_descriptions={
            one.tel_id: TelescopeDescription(
                name=one.kind.optics_name,
                optics=optics_description(one.kind),
                camera=camera_description(one.kind),
            )
            for one in array.telescopes
        },
        reference_location=_location(array),
    )
