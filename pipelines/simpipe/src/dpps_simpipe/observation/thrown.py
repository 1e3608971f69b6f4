"""Showers of a stretch of time: how many, when, how energetic, from where."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from dpps_simpipe.camera.optics import pointing_axes
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.observation.description import Block, Night, Population
from dpps_simpipe.observation.sky import Horizon
from dpps_simpipe.simulation.kinematics import Kinematics, cores_on_ground

__all__ = ["QUARTERS_PER_SECOND", "SHOWERS_PER_SLICE", "Thrown", "draw", "n_slices", "random_of"]

#: Expected showers in a slice of a block: the unit of parallel work and of going on after an interruption.
SHOWERS_PER_SLICE = 1000
QUARTERS_PER_SECOND = 4_000_000_000
#: Keeps the random streams of observations apart from those of runs.
_OBSERVATION_STREAM = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown:
    """Showers in order of time; all arrays have the shape (n,).

    Parameters
    ----------
    time : array
        Passage of the shower front through the core, quarters of ns after the start of the block.
    population : array
        Index in the night's populations.
    energy_tev : array
        Energy of the primary.
    altitude, azimuth : array
        Direction the shower comes from, in rad.
    core : array
        Polar coordinates of the core in the plane perpendicular to the shower, m and rad. Shape (n, 2).
    pointing_altitude, pointing_azimuth : array
        Of the telescopes at that time, in rad.
    """

    time: IntArray
    population: IntArray
    energy_tev: FloatArray
    altitude: FloatArray
    azimuth: FloatArray
    core: FloatArray
    pointing_altitude: FloatArray
    pointing_azimuth: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    def kinematics(self, index: int) -> Kinematics:
        """Give one shower in the simulator's terms.

        Parameters
        ----------
        index : int
            Which.

        Returns
        -------
        Kinematics
            Energy, direction, core on the ground.
        """
        altitude, azimuth = float(self.altitude[index]), float(self.azimuth[index])
        radius, phi = self.core[index]
        return Kinematics(
            energy_tev=float(self.energy_tev[index]),
            altitude=altitude,
            azimuth=azimuth,
            cores=cores_on_ground(altitude, azimuth, np.array([radius]), np.array([phi])),
        )


def n_slices(night: Night, block: Block) -> int:
    """Give the number of stretches of equal length that a block is made in.

    Parameters
    ----------
    night : Night
        What is observed.
    block : Block
        One of its blocks.

    Returns
    -------
    int
        At least 1; depends on the description only.
    """
    expected = block.duration_s * sum(night.rate_hz(one) for one in night.populations)
    return max(1, math.ceil(expected / SHOWERS_PER_SLICE))


def random_of(night: Night, block: Block, *numbers: int) -> Generator:
    """Give a source of randomness that depends on seed, block and numbers alone.

    Parameters
    ----------
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    *numbers : int
        Slice, and shower in it.

    Returns
    -------
    Generator
        Counter-based (Philox), seeded through `numpy.random.SeedSequence`.
    """
    key = (_OBSERVATION_STREAM, block.obs_id, *numbers)
    return Generator(Philox(SeedSequence(night.seed, spawn_key=key)))


def draw(night: Night, block: Block, horizon: Horizon, number: int) -> Thrown:
    """Draw the showers of a slice.

    The number of each population is Poisson with flux times area (times solid angle times fraction) times
    time; given the number, times are uniform: together a Poisson process over the whole block.

    Parameters
    ----------
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    horizon : Horizon
        Of the array during the block.
    number : int
        Slice, counted from 0.

    Returns
    -------
    Thrown
        Showers in order of time.
    """
    random = random_of(night, block, number)
    length = block.duration_s / n_slices(night, block)
    columns = [_draw_one(night, one, length, random) for one in night.populations]
    counts = [len(one[0]) for one in columns]
    population = np.repeat(np.arange(len(columns)), counts)
    seconds, energy, offset, core = (np.concatenate([one[i] for one in columns]) for i in range(4))
    order = np.argsort(seconds, kind="stable")
    seconds, energy, offset, core = (one[order] for one in (seconds + number * length, energy, offset, core))
    population = population[order]
    pointing = horizon.of_sky(block.pointing, seconds)
    altitude, azimuth = _around(*pointing, offset)
    for index, one in enumerate(night.populations):
        if one.direction is not None:
            its = population == index
            altitude[its], azimuth[its] = horizon.of_sky(one.direction, seconds[its])
    return Thrown(
        time=np.round(seconds * QUARTERS_PER_SECOND).astype(np.int64),
        population=population,
        energy_tev=energy,
        altitude=altitude,
        azimuth=azimuth,
        core=core,
        pointing_altitude=pointing[0],
        pointing_azimuth=pointing[1],
    )


def _draw_one(
    night: Night, population: Population, length: float, random: Generator
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Draw times, energies, offsets from the pointing (cosine, angle), cores (radius, angle)."""
    number = int(random.poisson(night.rate_hz(population) * length))
    times = random.random(number) * length
    energy = population.sampler().draw(random.random(number))
    cosine = 1.0 - random.random(number) * (1.0 - math.cos(math.radians(night.view_cone_deg)))
    offset = np.column_stack([cosine, 2 * math.pi * random.random(number)])
    radius = population.core_radius_m * np.sqrt(random.random(number))
    return times, energy, offset, np.column_stack([radius, 2 * math.pi * random.random(number)])


def _around(altitude: FloatArray, azimuth: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give directions at an offset from others."""
    found = np.zeros((len(altitude), 2))
    for index, (cosine, phi) in enumerate(offset):
        axes = pointing_axes(float(altitude[index]), float(azimuth[index]))
        sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
        x, y, z = cosine * axes[2] + sine * (math.cos(phi) * axes[0] + math.sin(phi) * axes[1])
        found[index] = math.asin(min(max(z, -1.0), 1.0)), math.atan2(-y, x) % (2 * math.pi)
    return found[:, 0], found[:, 1]
