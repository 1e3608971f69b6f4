"""The instrument model that comes with the package."""

import json
from dataclasses import fields
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

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

from dpps.domain.errors import NotFound
from dpps_simpipe.instrument.model import Array, Efficiency, Telescope, TelescopeType

__all__ = [
    "array_names",
    "camera_description",
    "camera_files",
    "load_array",
    "optics_description",
    "reference_location",
    "subarray_description",
]


def _resource(*parts: str) -> Path:
    return Path(str(files("dpps_simpipe.instrument").joinpath("resources", *parts)))


@lru_cache(maxsize=2)
def _document(name: str) -> Any:
    return json.loads(_resource(name).read_text(encoding="utf-8"))


def array_names() -> tuple[str, ...]:
    """Give the names of the arrays that come with the package.

    Returns
    -------
    tuple of str
        Names.
    """
    return tuple(_document("arrays.json")["arrays"])


@lru_cache(maxsize=8)
def load_array(name: str) -> Array:
    """Load an array of the package.

    Parameters
    ----------
    name : str
        One of `array_names`.

    Returns
    -------
    Array
        Telescopes, site and efficiencies.

    Raises
    ------
    NotFound
        No array has this name.
    """
    document = _document("arrays.json")
    if name not in document["arrays"]:
        raise NotFound(
            f"there is no array {name!r}",
            code="simpipe.array-unknown",
            next_step=f"Take one of {', '.join(array_names())}.",
            array=name,
        )
    entry = dict(document["arrays"][name])
    telescopes = tuple(
        Telescope(
            tel_id=one["tel_id"],
            name=one["name"],
            kind=_telescope_type(one["type"]),
            position_m=tuple(one["position_m"]),
        )
        for one in entry.pop("telescopes")
    )
    cameras = {telescope.kind.camera for telescope in telescopes}
    return Array(
        name=name,
        version=document["version"],
        released=document["released"],
        telescopes=telescopes,
        efficiencies={camera: _efficiency(camera) for camera in sorted(cameras)},
        **entry,
    )


@lru_cache(maxsize=16)
def _telescope_type(name: str) -> TelescopeType:
    entry = dict(_document("telescopes.json")["types"][name])
    listed = {field.name for field in fields(TelescopeType)}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return TelescopeType(name=name, **{key: value for key, value in values.items() if key in listed})


@lru_cache(maxsize=16)
def _efficiency(camera: str) -> Efficiency:
    table = Table.read(_resource("efficiency", f"{camera}.ecsv"), format="ascii.ecsv")
    return Efficiency(
        wavelength=np.asarray(table["wavelength"], dtype=float),
        quantum_efficiency=np.asarray(table["quantum_efficiency"], dtype=float),
        optics=np.asarray(table["mirror_reflectivity"] * table["window_transmission"], dtype=float),
    )


def camera_files(kind: TelescopeType) -> tuple[Path, Path]:
    """Give the files of a camera.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.

    Returns
    -------
    tuple of Path
        Geometry and read-out, as ctapipe writes them.
    """
    return (
        _resource("cameras", f"{kind.camera}.camgeom.fits.gz"),
        _resource("cameras", f"{kind.camera}.camreadout.fits.gz"),
    )


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
    geometry_file, readout_file = camera_files(kind)
    geometry = CameraGeometry.from_table(Table.read(geometry_file))
    geometry.frame = CameraFrame(focal_length=kind.effective_focal_length_m * u.m)
    readout = CameraReadout.from_table(Table.read(readout_file))
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
