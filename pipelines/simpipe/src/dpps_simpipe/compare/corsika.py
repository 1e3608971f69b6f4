"""Photon files of CORSIKA (IACT option) against our showers: photons in telescope spheres."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from eventio import EventIOFile, IACTFile
from numpy.random import Generator, Philox, SeedSequence

from dpps.domain.errors import DamagedFile, NotFound
from dpps_simpipe.atmosphere import Atmosphere
from dpps_simpipe.atmosphere.builtin import FiveLayers
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.showers import (
    PRIMARIES,
    REFERENCE_PHOTONS,
    Buffers,
    Targets,
    make_world,
    simulate_shower,
)
from dpps_simpipe.showers.emission import sphere_around

__all__ = ["CorsikaEvent", "SphereComparison", "compare_corsika_event", "read_corsika"]

#: n - 1 of air at 400 nm over its density in g/cm³ (as in CORSIKA's tables).
REFRACTIVITY_PER_DENSITY = 0.2315
#: Photoelectrons per photon with which our photons are sampled for directions and altitudes.
SAMPLING = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsikaEvent:
    """One array of one shower of a photon file.

    Parameters
    ----------
    name : str
        File, shower and use.
    energy_tev : float
        Energy of the gamma.
    direction : tuple of float
        Direction of flight.
    field : tuple of float
        Magnetic field in T: North, West, up.
    band : tuple of float
        Wavelengths of the light in nm.
    position : array
        Spheres relative to the core in m. Shape (n, 3).
    radius : array
        Their radii in m. Shape (n,).
    photons : array
        Photons in each. Shape (n,).
    first_interaction : float
        Altitude in m above sea level of the first interaction.
    emission : array
        Their mean altitude of emission in m above sea level. Shape (n,).
    """

    name: str
    energy_tev: float
    direction: tuple[float, float, float]
    field: tuple[float, float, float]
    band: tuple[float, float]
    position: FloatArray
    radius: FloatArray
    photons: FloatArray
    first_interaction: float
    emission: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SphereComparison:
    """Photons in one sphere: CORSIKA against the mean of ours.

    Parameters
    ----------
    event : str
        Event.
    energy_tev : float
        Energy.
    impact_m : float
        Distance to the axis.
    photons_real, photons_ours, photons_spread : float
        Photons: CORSIKA's; mean and standard deviation of ours.
    emission_real, emission_ours : float
        Mean altitude of emission in m above sea level.
    """

    event: str
    energy_tev: float
    impact_m: float
    photons_real: float
    photons_ours: float
    photons_spread: float
    emission_real: float
    emission_ours: float

    def as_dict(self) -> dict[str, object]:
        """Give plain data.

        Returns
        -------
        dict
            For JSON.
        """
        return asdict(self)


def read_corsika(path: Path) -> tuple[Atmosphere, float, tuple[CorsikaEvent, ...]]:
    """Read a photon file of gammas.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple
        Atmosphere (from the header's five layers when the file has no table), observation level in m, events.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        It cannot be read to its end.
    """
    if not path.is_file():
        raise NotFound(f"{path} does not exist", code="simpipe.corsika-missing", path=path)
    try:
        atmosphere = _atmosphere(path)
        with IACTFile(str(path)) as file:
            level = float(file.header["observation_height"][0]) / 100.0
            events = tuple(_events(file, path))
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DamagedFile(
            f"{path} cannot be read: {error}",
            code="simpipe.corsika-unreadable",
            next_step="Give a complete photon file of CORSIKA's IACT option.",
            path=path,
        ) from error
    return atmosphere, level, events


def _atmosphere(path: Path) -> Atmosphere:
    """Take the table of the file, or the five layers of its header where it has none."""
    with EventIOFile(str(path)) as file:
        for item in file:
            if item.header.type == 1216:
                table = item.parse()
                inside = table["thickness"] > 0
                return Atmosphere(
                    name=path.name,
                    altitude=table["altitude_km"][inside] * 1e3,
                    density=table["rho"][inside],
                    thickness=table["thickness"][inside],
                    refractivity=table["refractive_index_minus_1"][inside],
                )
    with IACTFile(str(path)) as photons:
        a, b, c = (tuple(float(value) for value in photons.header[name]) for name in ("aatm", "batm", "catm"))
    bottom = (0.0, *(_border(a, b, c, lower) for lower in range(3)), 100.0)
    layers = FiveLayers(source=path.name, bottom=bottom, a=a, b=b, c=c)
    altitude = np.arange(0.0, 95e3, 1000.0)
    thickness = layers.evaluate(altitude)[1]
    # The layers' own densities jump at the borders; the slope of the thickness does not.
    density = -np.gradient(thickness, altitude * 100.0, edge_order=2)
    return Atmosphere(
        name=path.name,
        altitude=altitude,
        density=density,
        thickness=thickness,
        refractivity=REFRACTIVITY_PER_DENSITY * density,
    )


def _border(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...], lower: int) -> float:
    """Find the altitude in km at which a layer and the next one have the same thickness.

    Headers do not tell the borders. Two exponentials may meet twice: the meeting with the smaller jump of
    the density counts.
    """
    standard = (4.0, 10.0, 40.0)[lower]
    altitude = np.linspace(0.4 * standard, 1.5 * standard, 2000)

    def thickness(layer: int) -> FloatArray:
        return np.asarray(a[layer] + b[layer] * np.exp(-altitude * 1e5 / c[layer]))

    difference = thickness(lower) - thickness(lower + 1)
    meetings = np.nonzero(np.diff(np.sign(difference)) != 0)[0]
    if not len(meetings):
        return float(altitude[np.argmin(np.abs(difference))])
    jump = np.abs(np.gradient(difference)) / np.abs(np.gradient(thickness(lower)))
    return float(altitude[meetings[np.argmin(jump[meetings])]])


def _events(file: IACTFile, path: Path) -> Iterator[CorsikaEvent]:
    """Give the arrays of all gammas of a file."""
    spheres = np.array([[float(value) for value in sphere] for sphere in file.telescope_positions]) / 100.0
    for event in file:
        header = event.header
        if int(header["particle_id"]) != 1:
            continue
        theta, phi = float(header["zenith"]), float(header["azimuth"])
        position = spheres[:, :3] - np.array([event.impact_x, event.impact_y, 0.0]) / 100.0
        bunches = [event.photon_bunches.get(index) for index in range(len(spheres))]
        yield CorsikaEvent(
            name=f"{path.name.split('.')[0]}-{int(header['event_number'])}-{event.reuse}",
            energy_tev=float(header["total_energy"]) / 1e3,
            direction=(
                math.sin(theta) * math.cos(phi),
                math.sin(theta) * math.sin(phi),
                -math.cos(theta),
            ),
            field=(
                float(header["earth_magnetic_field_x"]) * 1e-6,
                0.0,
                -float(header["earth_magnetic_field_z"]) * 1e-6,
            ),
            band=(float(header["cherenkov_wavelength_min"]), float(header["cherenkov_wavelength_max"])),
            position=position,
            radius=spheres[:, 3],
            photons=np.array([0.0 if b is None else float(b["photons"].sum()) for b in bunches]),
            first_interaction=abs(float(header["first_interaction_height"])) / 100.0,
            emission=np.array(
                [
                    math.nan
                    if b is None or not len(b)
                    else float(np.average(b["zem"], weights=b["photons"])) / 100.0
                    for b in bunches
                ]
            ),
        )


def compare_corsika_event(
    event: CorsikaEvent, atmosphere: Atmosphere, level: float, *, showers: int, seed: int
) -> list[SphereComparison]:
    """Simulate the gamma of an event many times and compare sphere by sphere.

    Parameters
    ----------
    event : CorsikaEvent
        The event.
    atmosphere : Atmosphere
        Its profile.
    level : float
        Observation level in m.
    showers : int
        How many times ours is simulated.
    seed : int
        Seed of ours.

    Returns
    -------
    list of SphereComparison
        One per sphere.
    """
    count = len(event.radius)
    targets = Targets(
        position=np.ascontiguousarray(event.position),
        radius=event.radius,
        kind=np.zeros(count, dtype=np.int64),
        light_yield=np.full((1, 240), REFERENCE_PHOTONS * SAMPLING),
        yield_step=250.0,
        observation_level=level,
        cover=sphere_around(event.position, event.radius),
    )
    world = make_world(atmosphere.tables(), targets, field=event.field)
    buffers = Buffers()
    share = (1 / event.band[0] - 1 / event.band[1]) / (1 / 240.0 - 1 / 1000.0)
    photons, altitudes = [], [[] for _ in range(count)]  # type: list[FloatArray], list[list[float]]
    for number in range(showers):
        random = Generator(Philox(SeedSequence(seed, spawn_key=(number,))))
        shower = simulate_shower(
            PRIMARIES["gamma"],
            event.energy_tev * 1e6,
            event.direction,
            world,
            random,
            buffers,
            event.first_interaction,
        )
        photons.append(shower.light[:, 0] * share)
        for index in range(count):
            seen = shower.photons[shower.target == index, 7]
            if len(seen):
                altitudes[index].append(float(seen.mean()) + level)
    numbers = np.array(photons)
    across = np.linalg.norm(np.cross(event.position, np.array(event.direction)), axis=1)
    return [
        SphereComparison(
            event=event.name,
            energy_tev=event.energy_tev,
            impact_m=float(across[index]),
            photons_real=float(event.photons[index]),
            photons_ours=float(numbers[:, index].mean()),
            photons_spread=float(numbers[:, index].std()),
            emission_real=float(event.emission[index]),
            emission_ours=float(np.mean(altitudes[index])) if altitudes[index] else math.nan,
        )
        for index in range(count)
    ]
