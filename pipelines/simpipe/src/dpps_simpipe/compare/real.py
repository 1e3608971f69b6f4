"""Events of sim_telarray: truth, light at the telescopes, photoelectrons."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ctapipe.io import SimTelEventSource
from eventio import EventIOFile

from dpps.domain.errors import DamagedFile, NotFound
from dpps_simpipe.atmosphere import Atmosphere
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import Array, Telescope, load_array
from dpps_simpipe.showers import PRIMARIES

__all__ = ["ARRAY", "RealEvent", "RealFile", "read_simtel"]

#: Array of our instrument model whose telescope types stand for those of the files.
ARRAY = "ctao-north-alpha"

#: Types of eventio objects.
ATMOSPHERE, MC_SHOWER, MC_EVENT, LIGHT = 1216, 2020, 2021, 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class RealEvent:
    """One event of sim_telarray.

    Parameters
    ----------
    name : str
        File and event number.
    primary : str
        Name of the primary.
    energy_tev : float
        Its energy.
    altitude, azimuth : float
        Direction in rad.
    core : tuple of float
        Core in m.
    first_interaction : float
        Altitude in m above sea level of the first interaction.
    depth_of_maximum : float
        Depth in g/cm².
    photons : mapping of int to float
        Photons in the sphere of CORSIKA, before extinction, by telescope.
    photoelectrons : mapping of int to int
        Cherenkov photoelectrons, by telescope.
    triggered : frozenset of int
        Telescopes of the event.
    images : mapping of int to array
        True images of triggered telescopes.
    trigger_times : mapping of int to float
        Times in ns of triggered telescopes, relative to each other, the delay of a plane wave from the
        pointing taken out.
    """

    name: str
    primary: str
    energy_tev: float
    altitude: float
    azimuth: float
    core: tuple[float, float]
    first_interaction: float
    depth_of_maximum: float
    photons: Mapping[int, float]
    photoelectrons: Mapping[int, int]
    triggered: frozenset[int]
    images: Mapping[int, IntArray]
    trigger_times: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealFile:
    """A file of sim_telarray.

    Parameters
    ----------
    path : Path
        The file.
    array : Array
        Its telescopes of types that our instrument model has.
    atmosphere : Atmosphere
        Its profile.
    pointing : tuple of float
        Altitude and azimuth in rad.
    band : tuple of float
        Wavelengths in nm between which CORSIKA made light.
    is_current : bool
        Whether efficiencies are those of prod6 (names of the array); older ones differ.
    events : tuple of RealEvent
        Events.
    """

    path: Path
    array: Array
    atmosphere: Atmosphere
    pointing: tuple[float, float]
    band: tuple[float, float]
    is_current: bool
    events: tuple[RealEvent, ...]


def read_simtel(path: Path) -> RealFile:
    """Read a file of sim_telarray.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    RealFile
        Events with light at telescopes.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        It cannot be read to its end, or lacks what is compared.
    """
    if not path.is_file():
        raise NotFound(f"{path} does not exist", code="simpipe.simtel-missing", path=path)
    try:
        atmosphere, light = _read_light(path)
        with SimTelEventSource(path, focal_length_choice="EQUIVALENT") as source:
            config = next(iter(source.simulation_config.values()))
            array = _array(source, float(config.prod_site_alt.to_value("m")))
            events = tuple(_events(source, path, light, {one.tel_id for one in array.telescopes}))
            pointing = (float(config.max_alt.to_value("rad")), float(config.max_az.to_value("rad")))
            band = (
                float(config.corsika_wlen_min.to_value("nm")),
                float(config.corsika_wlen_max.to_value("nm")),
            )
            is_current = int(config.corsika_version) >= 7741
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DamagedFile(
            f"{path} cannot be read: {error}",
            code="simpipe.simtel-unreadable",
            next_step="Give a complete file of sim_telarray with an atmosphere and light sums.",
            path=path,
        ) from error
    return RealFile(
        path=path, array=array, atmosphere=atmosphere, pointing=pointing, band=band,
        is_current=is_current, events=events,
    )  # fmt: skip


def _read_light(path: Path) -> tuple[Atmosphere, dict[int, Mapping[str, object]]]:
    """Read the atmosphere and, by event, photons and photoelectrons of all telescopes."""
    light: dict[int, Mapping[str, object]] = {}
    atmosphere = None
    with EventIOFile(str(path)) as file:
        for item in file:
            if item.header.type == ATMOSPHERE:
                atmosphere = _atmosphere(item.parse(), path.name)
            elif item.header.type == LIGHT:
                sums = item.parse()
                light[int(sums["event"])] = sums
    if atmosphere is None:
        raise KeyError("no atmospheric profile")
    return atmosphere, light


def _atmosphere(table: Mapping[str, FloatArray], name: str) -> Atmosphere:
    inside = table["thickness"] > 0
    return Atmosphere(
        name=name,
        altitude=table["altitude_km"][inside] * 1e3,
        density=table["rho"][inside],
        thickness=table["thickness"][inside],
        refractivity=table["refractive_index_minus_1"][inside],
    )


def _array(source: SimTelEventSource, level: float) -> Array:
    """Take the telescopes that we know: LSTs and NectarCams, by mirror and pixels."""
    north = load_array(ARRAY)
    kinds = {kind.size_type: kind for kind in north.kinds}
    telescopes = []
    for tel_id, description in source.subarray.tel.items():
        kind = kinds.get(description.optics.size_type.name)
        if kind is None or description.camera.geometry.n_pixels != 1855:
            continue
        x, y, z = (float(value) for value in source.subarray.positions[tel_id].to_value("m"))
        telescopes.append(Telescope(tel_id=tel_id, name=f"T{tel_id}", kind=kind, position_m=(x, y, z)))
    config = next(iter(source.simulation_config.values()))
    return replace(
        north,
        name=source.subarray.name,
        source=str(source.input_url),
        observation_level_m=level,
        field_total_uT=float(config.prod_site_B_total.to_value("uT")),
        field_declination_rad=float(config.prod_site_B_declination.to_value("rad")),
        field_inclination_rad=float(config.prod_site_B_inclination.to_value("rad")),
        telescopes=tuple(telescopes),
    )


def _events(
    source: SimTelEventSource, path: Path, light: Mapping[int, Mapping[str, object]], known: set[int]
) -> Iterator[RealEvent]:
    """Join truth, light and images."""
    names = {primary.code: name for name, primary in PRIMARIES.items()}
    tel_ids = list(source.file_.header["tel_id"])
    for event in source:
        truth = event.simulation.shower
        sums = light.get(int(event.index.event_id))
        if sums is None or int(truth.shower_primary_id) not in names:
            continue
        photons = np.asarray(sums["photons"])
        pe = np.asarray(sums["n_pe"])
        yield RealEvent(
            name=f"{path.name.split('.')[0]}-{event.index.event_id}",
            primary=names[int(truth.shower_primary_id)],
            energy_tev=float(truth.energy.to_value("TeV")),
            altitude=float(truth.alt.to_value("rad")),
            azimuth=float(truth.az.to_value("rad")) % (2 * math.pi),
            core=(float(truth.core_x.to_value("m")), float(truth.core_y.to_value("m"))),
            first_interaction=float(truth.h_first_int.to_value("m")),
            depth_of_maximum=float(truth.x_max.to_value("g cm-2")),
            photons={t: float(v) for t, v in zip(tel_ids, photons, strict=True) if t in known},
            photoelectrons={t: int(v) for t, v in zip(tel_ids, pe, strict=True) if t in known},
            triggered=frozenset(int(t) for t in event.trigger.tels_with_trigger if t in known),
            images={
                int(t): np.asarray(camera.true_image)
                for t, camera in event.simulation.tel.items()
                if t in known and camera.true_image is not None
            },
            trigger_times={
                int(t): float((one.time - event.trigger.time).to_value("ns"))
                for t, one in event.trigger.tel.items()
                if t in known
            },
        )
