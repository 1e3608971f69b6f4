"""Telescope types and arrays of the simulator, derived from a version of the model."""

import math
import re
from functools import lru_cache

import numpy as np

from dpps.domain.errors import InvalidInput, NotFound
from dpps_simpipe.instrument.model import Array, Efficiency, Telescope, TelescopeType
from dpps_simpipe.instrument.parameters import column
from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["USED_PARAMETERS", "atmosphere_of", "element_id", "make_array"]

#: Number of the first telescope of each kind (CTAO identifiers of array elements, version 2), and how many.
_ELEMENTS = {"LSTN": (1, 4), "MSTN": (5, 15), "LSTS": (101, 4), "MSTS": (105, 14), "SSTS": (119, 50)}
_NAME = re.compile(r"([LMS]ST[NS])-(\d{2,3})")
#: Source key of values that no file or paper gave.
_ESTIMATE = "estimate"
#: Class of mirrors with a secondary (simtools).
_TWO_MIRRORS = 2

#: Parameters that the simulator and the descriptions made for readers take.
USED_PARAMETERS = {
    "site": (
        "atmosphere_name",
        "atmospheric_profile",
        "corsika_observation_level",
        "geomag_horizontal",
        "geomag_rotation",
        "geomag_vertical",
        "reference_point_altitude",
        "reference_point_latitude",
        "reference_point_longitude",
    ),
    "telescope": ("array_element_position_ground", "design_model"),
    "design": (
        "adc_range",
        "camera_filter",
        "camera_geometry",
        "camera_name",
        "camera_readout",
        "default_trigger",
        "dish_shape_length",
        "effective_focal_length",
        "fadc_amplitude",
        "fadc_lg_amplitude",
        "fadc_lg_noise",
        "fadc_noise",
        "focal_length",
        "focus_offset",
        "light_guide_efficiency",
        "light_yield_scale",
        "mirror_area",
        "mirror_class",
        "mirror_reflectivity",
        "nsb_pixel_rate",
        "num_gains",
        "number_of_mirror_tiles",
        "optical_spot_sigma",
        "optics_name",
        "parabolic_dish",
        "quantum_efficiency",
        "readout_before_trigger",
        "single_photoelectron_sigma",
        "telescope_sphere_radius",
        "telescope_transmission",
        "telescope_type",
        "trigger_module_pixels",
        "trigger_threshold_photoelectrons",
    ),
}


def element_id(name: str) -> int:
    """Give the observatory's number of a telescope.

    Parameters
    ----------
    name : str
        LSTN-01 and the like.

    Returns
    -------
    int
        Number in data.

    Raises
    ------
    InvalidInput
        The observatory has no such telescope.
    """
    match = _NAME.fullmatch(name)
    first, count = _ELEMENTS.get(match.group(1), (0, 0)) if match else (0, 0)
    number = int(match.group(2)) if match else 0
    if not 1 <= number <= count:
        raise InvalidInput(
            f"the observatory has no telescope {name!r}",
            code="simpipe.telescope-unknown",
            next_step=f"Take numbers from 1 of {', '.join(_ELEMENTS)}.",
            telescope=name,
        )
    return first + number - 1


def _reflector(model: InstrumentModel, design: str) -> tuple[str, float]:
    """Give ctapipe's word for the shape and the radius of curvature of the dish in m (0: a parabola)."""
    if model.find(design, "mirror_class").value == _TWO_MIRRORS:
        return "SCHWARZSCHILD_COUDER", 0.0
    if model.find(design, "parabolic_dish").value:
        return "PARABOLIC", 0.0
    radius = model.find(design, "dish_shape_length").number("m")
    is_davies_cotton = radius == model.find(design, "focal_length").number("m")
    return ("DAVIES_COTTON" if is_davies_cotton else "HYBRID"), radius


def _by_gain(model: InstrumentModel, design: str, high: str, low: str) -> tuple[float, ...]:
    names = (high, low)[: int(model.find(design, "num_gains").value)]
    return tuple(model.find(design, name).number("count") for name in names)


def _telescope_type(model: InstrumentModel, design: str) -> TelescopeType:
    def word(name: str) -> str:
        return str(model.find(design, name).value)

    def number(name: str, unit: str = "") -> float:
        return model.find(design, name).number(unit)

    shape, radius = _reflector(model, design)
    size = design[:3]
    if size not in ("LST", "MST", "SST"):
        raise InvalidInput(f"{design} is no LST, MST or SST", code="simpipe.design-unknown", design=design)
    estimated = [name for name, source in model.origins[design].items() if source == _ESTIMATE]
    return TelescopeType(
        name=word("telescope_type"),
        size_type=size,  # type: ignore[arg-type] # one of the three
        optics_name=word("optics_name"),
        reflector_shape=shape,
        n_mirrors=2 if model.find(design, "mirror_class").value == _TWO_MIRRORS else 1,
        n_mirror_tiles=int(number("number_of_mirror_tiles")),
        mirror_area_m2=number("mirror_area", "m2"),
        focal_length_m=number("focal_length", "m"),
        effective_focal_length_m=number("effective_focal_length", "m"),
        dish_radius_m=radius,
        focus_offset_m=number("focus_offset", "m"),
        spot_sigma_deg=number("optical_spot_sigma", "deg"),
        sphere_radius_m=number("telescope_sphere_radius", "m"),
        camera=word("camera_name"),
        geometry_file=model.file(design, "camera_geometry"),
        readout_file=model.file(design, "camera_readout"),
        structure_transmission=number("telescope_transmission"),
        light_guide_efficiency=number("light_guide_efficiency"),
        light_yield_scale=number("light_yield_scale"),
        night_sky_rate_per_ns=number("nsb_pixel_rate", "GHz"),
        single_photoelectron_sigma=number("single_photoelectron_sigma"),
        amplitude_counts=_by_gain(model, design, "fadc_amplitude", "fadc_lg_amplitude"),
        noise_counts=_by_gain(model, design, "fadc_noise", "fadc_lg_noise"),
        range_counts=number("adc_range", "count"),
        trigger="majority" if word("default_trigger") == "Majority" else "sum",
        trigger_module=int(number("trigger_module_pixels")),
        trigger_threshold_pe=number("trigger_threshold_photoelectrons"),
        readout_before_trigger_ns=number("readout_before_trigger", "ns"),
        estimated=tuple(sorted(estimated)),
    )


def _efficiency(model: InstrumentModel, design: str) -> Efficiency:
    """Bring the three tables to the wavelengths of all of them; outside of its range a table is 0."""
    tables = [
        (column(path, "wavelength", "nm"), column(path, name, ""))
        for path, name in (
            (model.file(design, "quantum_efficiency"), "efficiency"),
            (model.file(design, "mirror_reflectivity"), "reflectivity"),
            (model.file(design, "camera_filter"), "transmission"),
        )
    ]
    grid = np.unique(np.concatenate([wavelength for wavelength, _ in tables]))
    quantum, mirror, window = (
        np.interp(grid, wavelength, values, left=0.0, right=0.0) for wavelength, values in tables
    )
    return Efficiency(wavelength=grid, quantum_efficiency=quantum, optics=mirror * window)


def _position(model: InstrumentModel, name: str, shift_m: float) -> tuple[float, float, float]:
    north, west, up = (float(value) for value in model.find(name, "array_element_position_ground").value)
    return north, west, up + shift_m


@lru_cache(maxsize=16)
def make_array(model: InstrumentModel, name: str) -> Array:
    """Derive an array.

    Parameters
    ----------
    model : InstrumentModel
        Version of the model.
    name : str
        One of its arrays.

    Returns
    -------
    Array
        Telescopes, site and efficiencies.

    Raises
    ------
    NotFound
        No array has this name, or the model lacks a value of it.
    InvalidInput
        The observatory has no such telescope.
    """
    entry = model.arrays.get(name)
    if entry is None:
        raise NotFound(
            f"there is no array {name!r}",
            code="simpipe.array-unknown",
            next_step=f"Take one of {', '.join(model.arrays)}.",
            array=name,
        )
    site, instrument = model.find, f"OBS-{entry.site}"
    level = site(instrument, "corsika_observation_level").number("m")
    shift = site(instrument, "reference_point_altitude").number("m") - level
    designs = {one: str(model.find(one, "design_model").value) for one in entry.telescopes}
    kinds = {design: _telescope_type(model, design) for design in dict.fromkeys(designs.values())}
    horizontal = site(instrument, "geomag_horizontal").number("uT")
    vertical = site(instrument, "geomag_vertical").number("uT")
    return Array(
        name=name,
        version=model.version,
        released=model.released.isoformat(),
        model_sha256=model.sha256,
        subarray_id=entry.subarray_id,
        source=entry.source,
        site=f"CTAO-{entry.site.upper()}",
        latitude_deg=site(instrument, "reference_point_latitude").number("deg"),
        longitude_deg=site(instrument, "reference_point_longitude").number("deg"),
        observation_level_m=level,
        atmosphere=atmosphere_of(model, instrument),
        field_total_uT=math.hypot(horizontal, vertical),
        field_declination_rad=math.radians(site(instrument, "geomag_rotation").number("deg")),
        field_inclination_rad=math.atan2(vertical, horizontal),
        lst_stereo=entry.lst_stereo,
        least_telescopes=entry.least_telescopes,
        coincidence_ns=entry.coincidence_ns,
        telescopes=tuple(
            Telescope(
                tel_id=element_id(one),
                name=one,
                kind=kinds[designs[one]],
                position_m=_position(model, one, shift),
            )
            for one in entry.telescopes
        ),
        efficiencies={kind.camera: _efficiency(model, design) for design, kind in sorted(kinds.items())},
    )


def atmosphere_of(model: InstrumentModel, instrument: str) -> str:
    """Give the atmosphere of a site.

    Parameters
    ----------
    model : InstrumentModel
        Version of the model.
    instrument : str
        The site, OBS-North or OBS-South.

    Returns
    -------
    str
        Path of the table, where the model has one, or the name of a built-in profile.
    """
    if (instrument, "atmospheric_profile") in model.parameters:
        return str(model.file(instrument, "atmospheric_profile"))
    return str(model.find(instrument, "atmosphere_name").value)
