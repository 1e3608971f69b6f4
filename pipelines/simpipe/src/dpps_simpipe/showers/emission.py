"""Cherenkov light: only photons that reach a telescope and make a photoelectron are made."""

import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from dpps_simpipe.atmosphere.profile import Air
from dpps_simpipe.compiled import FloatArray, IntArray, compiled, embedded
from dpps_simpipe.showers.constants import ALPHA, SPEED_OF_LIGHT
from dpps_simpipe.showers.geometry import interpolated

__all__ = [
    "PHOTON_COLUMNS",
    "PROFILE_BIN",
    "REFERENCE_PHOTONS",
    "Hits",
    "Targets",
    "emit",
    "record_depth",
    "sphere_around",
]

#: Columns of a photoelectron: place relative to the sphere's centre (m), direction of flight, arrival time
#: at the plane through the centre (ns), altitude of emission above the observatory (m).
PHOTON_COLUMNS = ("x", "y", "z", "ux", "uy", "uz", "time", "altitude")
#: Photons per metre over sin²θ between 240 and 1000 nm: 2πα ∫dλ/λ² (I. Frank & I. Tamm 1937; PDG eq. 34.43).
REFERENCE_PHOTONS = 2.0 * math.pi * ALPHA * (1.0 / 240e-9 - 1.0 / 1000e-9)
#: Bin width of the longitudinal profile in g/cm² of vertical thickness.
PROFILE_BIN = 10.0
#: Above this mean, numbers of photoelectrons come from the library instead of the product method.
SMALL_MEAN = 12.0


class Targets(NamedTuple):
    """Telescope spheres and what they see.

    Attributes
    ----------
    position : array
        Centres in m, x North, y West, z above the observation level. Shape (n, 3).
    radius : array
        Radii in m. Shape (n,).
    kind : array
        Index of the telescope type. Shape (n,).
    light_yield : array
        Photoelectrons per metre of track over sin²θ, by type and altitude of emission above sea level on
        the grid of `yield_step` m. Shape (n_types, n_altitudes).
    yield_step : float
        Grid spacing in m.
    observation_level : float
        Altitude of z = 0 above sea level in m.
    cover : tuple of float
        Centre (x, y, z) and radius in m of a sphere that holds all spheres: light that misses it is not
        looked at closer.
    """

    position: FloatArray
    radius: FloatArray
    kind: IntArray
    light_yield: FloatArray
    yield_step: float
    observation_level: float
    cover: tuple[float, float, float, float]


def sphere_around(position: FloatArray, radius: FloatArray) -> tuple[float, float, float, float]:
    """Give a sphere that holds spheres.

    Parameters
    ----------
    position : array
        Centres in m. Shape (n, 3).
    radius : array
        Radii in m. Shape (n,).

    Returns
    -------
    tuple of float
        Centre x, y, z and radius in m; nothing at the origin when there are no spheres.
    """
    if not len(radius):
        return 0.0, 0.0, 0.0, 0.0
    centre = 0.5 * (position.min(axis=0) + position.max(axis=0))
    reach = float((np.linalg.norm(position - centre, axis=1) + radius).max())
    return float(centre[0]), float(centre[1]), float(centre[2]), reach


class Hits(NamedTuple):
    """Where photoelectrons are collected.

    Attributes
    ----------
    photons : array
        One row per photoelectron, see `PHOTON_COLUMNS`. Shape (capacity, 8), float32.
    target : array
        Index of the sphere. Shape (capacity,).
    made : array
        Number made, also beyond the capacity. Shape (1,).
    light : array
        Expected numbers per sphere: photons (240-1000 nm, before extinction), photoelectrons. Shape (n, 2).
    origin : tuple of float
        Time in ns that is subtracted (so that 32 bits suffice).
    """

    photons: FloatArray
    target: IntArray
    made: IntArray
    light: FloatArray
    origin: float
    profile: FloatArray


@compiled
def poisson(mean: float, random: Generator) -> int:
    """Draw a Poisson number (product method for small means: D.E. Knuth, TAOCP 2, 3.4.1)."""
    if mean > SMALL_MEAN:
        return int(random.poisson(mean))
    limit = math.exp(-mean)
    number = 0
    product = random.random()
    while product > limit:
        number += 1
        product *= random.random()
    return number


@compiled
def record_depth(z: float, depth: float, weight: float, air: Air, level: float, hits: Hits) -> None:
    """Add a piece of charged track to the longitudinal profile."""
    place = int(interpolated(air.thickness, air.step, z + level) / PROFILE_BIN)
    if place < len(hits.profile):
        hits.profile[place] += weight * depth


@compiled
def _misses_all(
    place: tuple[float, float, float],
    direction: tuple[float, float, float],
    tangent: float,
    cover: tuple[float, float, float, float],
) -> bool:
    """Tell whether the light of a point misses the sphere around all telescopes."""
    dx, dy, dz = cover[0] - place[0], cover[1] - place[1], cover[2] - place[2]
    along = dx * direction[0] + dy * direction[1] + dz * direction[2]
    across_squared = dx * dx + dy * dy + dz * dz - along * along
    outer = (along + cover[3]) * tangent + cover[3]
    return outer <= 0.0 or across_squared > outer * outer


@embedded
def emit(
    place: tuple[float, float, float],
    direction: tuple[float, float, float],
    time: float,
    length: float,
    beta_squared: float,
    weight: float,
    air: Air,
    targets: Targets,
    hits: Hits,
    random: Generator,
) -> bool:
    """Give the telescopes the light of a piece of track, emitted at one point of it.

    Parameters
    ----------
    place, direction : tuple of float
        Point (m) and direction of the track.
    time : float
        Time of the particle there in ns.
    length : float
        Length of the piece in m.
    beta_squared : float
        Squared velocity over c².
    weight : float
        Number of particles that this one stands for.
    air : Air
        Atmosphere.
    targets : Targets
        Telescopes.
    hits : Hits
        Collects the photoelectrons.
    random : Generator
        Source of randomness.

    Returns
    -------
    bool
        Whether some telescope might have been met.

    Notes
    -----
    A photon is emitted at angle θ, cos θ = 1/(βn), at a uniform azimuth. In the plane through a telescope
    perpendicular to the track the light is a ring of radius d tan θ; the part of the ring inside the
    sphere is the probability of a hit, and photons are put on that arc uniformly.
    """
    altitude = place[2] + targets.observation_level
    refraction = 1.0 + interpolated(air.refractivity, air.step, altitude)
    cos_squared = 1.0 / (beta_squared * refraction * refraction)
    if cos_squared >= 1.0:
        return False
    sin_squared = 1.0 - cos_squared
    tangent = math.sqrt(sin_squared / cos_squared)
    if _misses_all(place, direction, tangent, targets.cover):
        return False
    for index in range(len(targets.radius)):
        dx = targets.position[index, 0] - place[0]
        dy = targets.position[index, 1] - place[1]
        dz = targets.position[index, 2] - place[2]
        along = dx * direction[0] + dy * direction[1] + dz * direction[2]
        if along <= 0.0:
            continue
        across_squared = dx * dx + dy * dy + dz * dz - along * along
        ring = along * tangent
        radius = targets.radius[index]
        outer = ring + radius
        if across_squared >= outer * outer:
            continue
        inner = ring - radius
        if inner > 0.0 and across_squared <= inner * inner:
            continue
        across = math.sqrt(max(across_squared, 1e-12))
        arc = math.pi
        cosine = (across_squared + ring * ring - radius * radius) / (2.0 * across * ring)
        if cosine > -1.0:
            arc = math.acos(min(cosine, 1.0))
        photons = weight * length * sin_squared * arc / math.pi
        mean = photons * interpolated(targets.light_yield[targets.kind[index]], targets.yield_step, altitude)
        hits.light[index, 0] += photons * REFERENCE_PHOTONS
        hits.light[index, 1] += mean
        number = poisson(mean, random)
        if number > 0:
            offset = (dx - along * direction[0], dy - along * direction[1], dz - along * direction[2])
            _place(
                number, index, place, direction, time, offset, across, along, ring, arc, tangent,
                altitude, air, targets, hits, random,
            )  # fmt: skip
    return True


@compiled
def _place(
    number: int,
    index: int,
    place: tuple[float, float, float],
    direction: tuple[float, float, float],
    time: float,
    offset: tuple[float, float, float],
    across: float,
    along: float,
    ring: float,
    arc: float,
    tangent: float,
    altitude: float,
    air: Air,
    targets: Targets,
    hits: Hits,
    random: Generator,
) -> None:
    """Put photoelectrons on the arc of the ring inside a sphere."""
    ux, uy, uz = direction
    ex, ey, ez = offset[0] / across, offset[1] / across, offset[2] / across
    fx, fy, fz = uy * ez - uz * ey, uz * ex - ux * ez, ux * ey - uy * ex
    cos_theta = 1.0 / math.sqrt(1.0 + tangent * tangent)
    sin_theta = tangent * cos_theta
    arrival_altitude = targets.position[index, 2] + targets.observation_level
    drop = altitude - arrival_altitude
    mean_refractivity = 0.0
    if drop > 1.0:
        above = interpolated(air.refraction_column, air.step, altitude)
        below = interpolated(air.refraction_column, air.step, arrival_altitude)
        mean_refractivity = (above - below) / drop
    flight = along / cos_theta * (1.0 + mean_refractivity) / SPEED_OF_LIGHT
    arrival = time + flight - hits.origin
    for _ in range(number):
        phi = (2.0 * random.random() - 1.0) * arc
        a, b = math.cos(phi), math.sin(phi)
        row = hits.made[0]
        hits.made[0] += 1
        if row >= len(hits.target):
            continue
        hits.target[row] = index
        photon = hits.photons[row]
        photon[0] = (ring * a - across) * ex + ring * b * fx
        photon[1] = (ring * a - across) * ey + ring * b * fy
        photon[2] = (ring * a - across) * ez + ring * b * fz
        photon[3] = cos_theta * ux + sin_theta * (a * ex + b * fx)
        photon[4] = cos_theta * uy + sin_theta * (a * ey + b * fy)
        photon[5] = cos_theta * uz + sin_theta * (a * ez + b * fz)
        photon[6] = arrival
        photon[7] = place[2]
