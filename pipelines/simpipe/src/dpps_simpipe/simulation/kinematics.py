"""Energy, direction and cores of a shower, drawn for its own number."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from dpps_simpipe.camera.optics import pointing_axes
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.simulation.description import Run

__all__ = ["Kinematics", "cores_on_ground", "draw_kinematics", "random_of_shower", "shower_axis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinematics:
    """How a shower comes.

    Parameters
    ----------
    energy_tev : float
        Total energy of the primary.
    altitude, azimuth : float
        Direction it comes from, in rad.
    cores : array
        Where its axis meets the ground: x, y in m. Shape (reuse, 2).
    """

    energy_tev: float
    altitude: float
    azimuth: float
    cores: FloatArray

    @property
    def direction(self) -> tuple[float, float, float]:
        """Direction of flight: North, West, up."""
        return shower_axis(self.altitude, self.azimuth)


def shower_axis(altitude: float, azimuth: float) -> tuple[float, float, float]:
    """Give the direction of flight of a particle that comes from a direction.

    Parameters
    ----------
    altitude, azimuth : float
        Direction in rad.

    Returns
    -------
    tuple of float
        Unit vector North, West, up.
    """
    return (
        -math.cos(altitude) * math.cos(azimuth),
        math.cos(altitude) * math.sin(azimuth),
        -math.sin(altitude),
    )


def random_of_shower(run: Run, shower: int) -> Generator:
    """Give the source of randomness of one shower: fixed by seed, run and its number alone.

    Parameters
    ----------
    run : Run
        Run.
    shower : int
        Number of the shower in the run.

    Returns
    -------
    Generator
        Counter-based (Philox), seeded through `numpy.random.SeedSequence`.
    """
    return Generator(Philox(SeedSequence(run.seed, spawn_key=(run.run, shower))))


def _energy(run: Run, random: Generator) -> float:
    low, high, power = run.energy_min_tev, run.energy_max_tev, run.spectral_index + 1.0
    share = random.random()
    if low == high:
        return low
    if abs(power) < 1e-9:
        return float(low * (high / low) ** share)
    return float((low**power + share * (high**power - low**power)) ** (1.0 / power))


def draw_kinematics(run: Run, random: Generator) -> Kinematics:
    """Draw energy, direction and cores.

    Parameters
    ----------
    run : Run
        Run.
    random : Generator
        Source of randomness of the shower.

    Returns
    -------
    Kinematics
        How the shower comes.
    """
    energy = _energy(run, random)
    centre = pointing_axes(math.radians(run.altitude_deg + run.offset_deg), math.radians(run.azimuth_deg))
    cosine = 1.0 - random.random() * (1.0 - math.cos(math.radians(run.view_cone_deg)))
    phi = 2 * math.pi * random.random()
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    source = cosine * centre[2] + sine * (math.cos(phi) * centre[0] + math.sin(phi) * centre[1])
    altitude = math.asin(min(max(float(source[2]), -1.0), 1.0))
    azimuth = math.atan2(-float(source[1]), float(source[0])) % (2 * math.pi)
    return Kinematics(
        energy_tev=energy,
        altitude=altitude,
        azimuth=azimuth,
        cores=_cores(run, altitude, azimuth, random),
    )


def _cores(run: Run, altitude: float, azimuth: float, random: Generator) -> FloatArray:
    """Draw cores uniformly in a ring perpendicular to the axis."""
    inner, outer = run.core_min_m**2, run.core_radius_m**2
    radius = np.sqrt(inner + random.random(run.reuse) * (outer - inner))
    return cores_on_ground(altitude, azimuth, radius, 2 * math.pi * random.random(run.reuse))


def cores_on_ground(altitude: float, azimuth: float, radius: FloatArray, phi: FloatArray) -> FloatArray:
    """Carry places in the plane perpendicular to a shower's axis along it to the ground.

    Parameters
    ----------
    altitude, azimuth : float
        Direction the shower comes from, in rad.
    radius, phi : array
        Polar coordinates in the plane, in m and rad. Shapes (n,).

    Returns
    -------
    array
        x, y in m. Shape (n, 2).
    """
    axes = pointing_axes(altitude, azimuth)
    place = np.outer(radius * np.cos(phi), axes[0]) + np.outer(radius * np.sin(phi), axes[1])
    ground = place - np.outer(place[:, 2] / axes[2, 2], axes[2])
    return np.ascontiguousarray(ground[:, :2])
