"""Everything a shower meets on its way, as one value for compiled code."""

import math
from typing import NamedTuple

import numpy as np

from dpps_simpipe.atmosphere.profile import Air
from dpps_simpipe.compiled import FloatArray, compiled
from dpps_simpipe.showers.constants import ELECTRON_MASS
from dpps_simpipe.showers.electromagnetic import Electromagnetic, electromagnetic_tables
from dpps_simpipe.showers.emission import Targets
from dpps_simpipe.showers.geometry import interpolated

__all__ = ["World", "cherenkov_threshold", "make_world", "useless"]

#: A photon or electron that cannot emit after this much more air (g/cm²) is given up: photons convert after
#: 9/7 radiation lengths, so 4 % of them go further.
GIVE_UP_DEPTH = 120.0
#: Particles flying flatter than this (or up) send no light to the ground.
FLATTEST = -0.1


class World(NamedTuple):
    """What a shower meets.

    Attributes
    ----------
    air : Air
        Atmosphere.
    physics : Electromagnetic
        Electromagnetic interactions.
    targets : Targets
        Telescopes.
    field : tuple of float
        Magnetic field in T: North, West, up.
    least_energy : array
        Least total energy (MeV) of an electron or photon that can still make light, on the grid of `air`.
    floor : float
        z in m below which nothing is followed.
    roulette_energy : float
        Electromagnetic particles born below this energy in MeV play roulette.
    roulette_weight : float
        Weight of the survivors; 1: no roulette.
    """

    air: Air
    physics: Electromagnetic
    targets: Targets
    field: tuple[float, float, float]
    least_energy: FloatArray
    floor: float
    roulette_energy: float
    roulette_weight: float


def cherenkov_threshold(refractivity: FloatArray, mass: float = ELECTRON_MASS) -> FloatArray:
    """Give the total energy in MeV above which a particle emits Cherenkov light.

    Parameters
    ----------
    refractivity : array
        n - 1.
    mass : float
        Mass in MeV.

    Returns
    -------
    array
        Energy in MeV: m / sqrt(1 - 1/n²).
    """
    return np.asarray(mass / np.sqrt(1.0 - 1.0 / (1.0 + refractivity) ** 2))


def make_world(
    air: Air,
    targets: Targets,
    *,
    field: tuple[float, float, float] = (0.0, 0.0, 0.0),
    floor: float = 0.0,
    roulette_energy: float = 1000.0,
    roulette_weight: float = 1.0,
) -> World:
    """Put a world together.

    Parameters
    ----------
    air : Air
        Atmosphere.
    targets : Targets
        Telescopes.
    field : tuple of float
        Magnetic field in T: North, West, up.
    floor : float
        Lowest z in m.
    roulette_energy : float
        Energy in MeV below which electromagnetic particles play roulette.
    roulette_weight : float
        Weight of survivors.

    Returns
    -------
    World
        The world.
    """
    threshold = cherenkov_threshold(air.refractivity)
    grid = air.step * np.arange(len(air.thickness))
    deeper = np.interp(-(air.thickness + GIVE_UP_DEPTH), -air.thickness, grid)
    lowest = targets.observation_level + floor
    least = np.interp(np.maximum(np.minimum(deeper, grid), lowest), grid, threshold)
    at_floor = float(np.interp(lowest, grid, threshold))
    return World(
        air=air,
        physics=electromagnetic_tables(round(at_floor, 2)),
        targets=targets,
        field=field,
        least_energy=least,
        floor=floor,
        roulette_energy=roulette_energy,
        roulette_weight=roulette_weight,
    )


@compiled
def useless(world: World, energy: float, z: float, uz: float) -> bool:
    """Tell whether an electron or photon can make no more light that reaches the ground."""
    if uz > FLATTEST or z < world.floor:
        return True
    altitude = z + world.targets.observation_level
    return energy < interpolated(world.least_energy, world.air.step, altitude)


@compiled
def depth_length(world: World, z: float, depth: float) -> float:
    """Give the length in m of a depth in g/cm² at the density of a height."""
    density = interpolated(world.air.density, world.air.step, z + world.targets.observation_level)
    return 0.01 * depth / max(density, 1e-12)


@compiled
def place_on_energy_grid(physics: Electromagnetic, energy: float) -> float:
    """Give where an energy in MeV lies on the grid of the tables, in units of its step."""
    return (math.log(energy) - physics.log_lowest) / physics.log_step


@compiled
def on_energy_grid(physics: Electromagnetic, table, energy: float) -> float:  # type: ignore[no-untyped-def] # numba types the array
    """Interpolate a table of the electromagnetic physics."""
    return interpolated(table, physics.log_step, math.log(energy) - physics.log_lowest)
