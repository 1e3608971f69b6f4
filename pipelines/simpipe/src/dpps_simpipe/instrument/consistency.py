"""What in a model contradicts what: checks across its parameters."""

import math
from collections.abc import Callable, Iterator

import astropy.units as u
import numpy as np
from astropy.table import Table
from ctapipe.instrument import CameraGeometry, CameraReadout

from dpps.domain.errors import DppsError
from dpps_simpipe.atmosphere import load_atmosphere
from dpps_simpipe.instrument.derive import atmosphere_of, element_id, make_array
from dpps_simpipe.instrument.parameters import check_table, column
from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["check_model"]

#: The plate scale with coma differs from the nominal one by less.
_PLATE_SCALE = 0.2
#: Reflecting area and the area of the mirror list differ by less.
_AREA = 0.15
#: No two telescopes stand closer, in m.
_DISTANCE_M = 1.0
#: Circle, hexagons in two orientations, square: area of a facet over the square of its diameter.
_FACET_AREA = {0: math.pi / 4, 1: math.sqrt(3) / 2, 2: 1.0, 3: math.sqrt(3) / 2}


def check_model(model: InstrumentModel) -> list[str]:
    """Check a model across its parameters: tables, arrays, telescopes, designs.

    Parameters
    ----------
    model : InstrumentModel
        As `load_model` gives it: each value is right by itself.

    Returns
    -------
    list of str
        Faults, naming instrument and parameter; empty: none.
    """
    checks: tuple[Callable[[InstrumentModel], Iterator[str]], ...] = (
        _tables,
        _arrays,
        _atmospheres,
        _telescopes,
        _optics,
        _mirror_lists,
        _cameras,
    )
    return [fault for check in checks for fault in check(model)]


def _tables(model: InstrumentModel) -> Iterator[str]:
    for (instrument, name), parameter in model.parameters.items():
        if parameter.definition.is_file:
            try:
                check_table(model.file(instrument, name), parameter.definition)
            except DppsError as error:
                yield f"{instrument}/{name}: {error.message}"


def _arrays(model: InstrumentModel) -> Iterator[str]:
    numbers: dict[int, str] = {}
    for name, entry in model.arrays.items():
        try:
            make_array(model, name)
        except DppsError as error:
            yield f"array {name}: {error.message}"
        foreign = [one for one in entry.telescopes if one[3:4] != entry.site[0]]
        if foreign:
            yield f"array {name}: {', '.join(foreign)} is not at the site {entry.site}"
        other = numbers.setdefault(entry.subarray_id, name)
        if other != name:
            yield f"array {name}: the subarray number {entry.subarray_id} is that of {other}"


def _atmospheres(model: InstrumentModel) -> Iterator[str]:
    for site in sorted({entry.site for entry in model.arrays.values()}):
        try:
            load_atmosphere(atmosphere_of(model, f"OBS-{site}"))
        except DppsError as error:
            yield f"OBS-{site}: {error.message}"


def _telescopes(model: InstrumentModel) -> Iterator[str]:
    designs = {instrument for instrument, name in model.parameters if name == "telescope_type"}
    places: dict[str, tuple[float, ...]] = {}
    for (instrument, name), parameter in model.parameters.items():
        if name == "design_model" and parameter.value not in designs:
            yield f"{instrument}/design_model: there is no design {parameter.value}"
        if name != "array_element_position_ground":
            continue
        try:
            element_id(instrument)
        except DppsError as error:
            yield error.message
        if parameter.site != {"N": "North", "S": "South"}.get(instrument[3:4]):
            yield f"{instrument}/{name}: the site is {parameter.site}"
        for other, place in places.items():
            if other[3] == instrument[3] and math.dist(place, parameter.value) < _DISTANCE_M:
                yield f"{instrument}/{name}: {other} stands there"
        places[instrument] = tuple(parameter.value)


def _designs(model: InstrumentModel) -> list[str]:
    return [instrument for instrument, name in model.parameters if name == "telescope_type"]


def _optics(model: InstrumentModel) -> Iterator[str]:
    for design in _designs(model):
        focal = model.find(design, "focal_length").number("m")
        effective = model.find(design, "effective_focal_length").number("m")
        if abs(effective / focal - 1) > _PLATE_SCALE:
            yield f"{design}/effective_focal_length: {effective:g} m, but focal_length is {focal:g} m"
        curves = [
            column(model.file(design, name), "wavelength", "nm")
            for name in ("quantum_efficiency", "mirror_reflectivity", "camera_filter")
        ]
        if max(curve[0] for curve in curves) >= min(curve[-1] for curve in curves):
            yield f"{design}: quantum_efficiency, mirror_reflectivity and camera_filter do not overlap"


def _mirror_lists(model: InstrumentModel) -> Iterator[str]:
    for design in _designs(model):
        if (design, "mirror_list") not in model.parameters:
            continue
        path = model.file(design, "mirror_list")
        diameter, shape = column(path, "mirror_diameter", "m"), column(path, "shape_type", "")
        count = int(model.find(design, "number_of_mirror_tiles").first)
        if len(diameter) != count:
            yield f"{design}/mirror_list: {len(diameter)} facets, but number_of_mirror_tiles is {count}"
        unknown = sorted(set(shape) - set(_FACET_AREA))
        if unknown:
            yield f"{design}/mirror_list: unknown shape {unknown[0]:g}"
            continue
        listed = float(np.sum([_FACET_AREA[int(one)] for one in shape] * diameter**2))
        area = model.find(design, "mirror_area").number("m2")
        if abs(listed / area - 1) > _AREA:
            yield f"{design}/mirror_list: facets of {listed:.1f} m2, but mirror_area is {area:g} m2"


def _cameras(model: InstrumentModel) -> Iterator[str]:
    for design in _designs(model):
        geometry = CameraGeometry.from_table(Table.read(model.file(design, "camera_geometry")))
        readout = CameraReadout.from_table(Table.read(model.file(design, "camera_readout")))
        told = {
            "num_gains": readout.n_channels,
            "camera_pixels": geometry.n_pixels,
            "fadc_mhz": readout.sampling_rate.to_value(u.MHz),
        }
        for name, found in told.items():
            parameter = model.parameters.get((design, name))
            if parameter is not None and not math.isclose(float(parameter.first), float(found), rel_tol=1e-3):
                yield f"{design}/{name}: {parameter.first}, but the camera's files have {found:g}"
