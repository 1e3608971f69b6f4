"""Muons, pions and nucleons on their way through the air."""

import math

from numpy.random import Generator

from dpps_simpipe.compiled import compiled
from dpps_simpipe.showers.constants import (
    ELECTRON_MASS,
    MUON_DECAY_LENGTH,
    MUON_MASS,
    PION_DECAY_LENGTH,
    PION_MASS,
    SPEED_OF_LIGHT,
)
from dpps_simpipe.showers.electrons import add_electromagnetic
from dpps_simpipe.showers.emission import Hits, emit
from dpps_simpipe.showers.geometry import bent, interpolated
from dpps_simpipe.showers.hadrons import LEAST_ENERGY, collide, interaction_depth
from dpps_simpipe.showers.interactions import scattered
from dpps_simpipe.showers.stack import (
    ELECTRON,
    MUON_MINUS,
    MUON_PLUS,
    PION_MINUS,
    PION_PLUS,
    POSITRON,
    Particle,
    Stack,
    charge_of,
    mass_of,
    push,
)
from dpps_simpipe.showers.world import FLATTEST, World

__all__ = ["follow_heavy"]

#: Loss of a minimum-ionising charged particle in air, MeV cm²/g, with the relativistic rise (PDG 2022, 34.2).
IONISATION = 2.2
#: Length in m of a step that emits light, near the telescopes and further up, and of one that does not.
NEAR_STEP, FAR_STEP, DARK_STEP = 20.0, 100.0, 500.0
#: Height in m above the telescopes up to which steps are short (rings of muons come from there).
NEAR = 3000.0


@compiled
def _decay_electron_share(random: Generator) -> float:
    """Draw the electron's share of a muon's energy (relativistic, unpolarised; PDG 2022, 58.1)."""
    while True:
        share = random.random()
        if random.random() * 5.0 < 5.0 - 9.0 * share * share + 4.0 * share**3:
            return share


@compiled
def _decay(particle: Particle, world: World, stack: Stack, random: Generator) -> None:
    """Let a pion become a muon, a muon an electron (neutrinos are gone)."""
    kind, energy, x, y, z, ux, uy, uz, time, weight = particle
    if kind in (PION_MINUS, PION_PLUS):
        least = (MUON_MASS / PION_MASS) ** 2
        share = least + (1.0 - least) * random.random()
        after = MUON_MINUS if kind == PION_MINUS else MUON_PLUS
        if energy * share > MUON_MASS * 1.05:
            push(stack, (after, energy * share, x, y, z, ux, uy, uz, time, weight))
        return
    after = ELECTRON if kind == MUON_MINUS else POSITRON
    electron = energy * _decay_electron_share(random)
    if electron > ELECTRON_MASS:
        add_electromagnetic((after, electron, x, y, z, ux, uy, uz, time, weight), world, stack, random)


@compiled
def _step_length(world: World, energy: float, mass: float, charge: float, z: float) -> float:
    """Choose the length of a step in m: short where it makes light."""
    if charge == 0.0:
        return DARK_STEP
    altitude = z + world.targets.observation_level
    index = 1.0 + interpolated(world.air.refractivity, world.air.step, altitude)
    ratio = mass / energy
    if (1.0 - ratio * ratio) * index * index <= 1.0:
        return DARK_STEP
    return NEAR_STEP if z < NEAR else FAR_STEP


@compiled
def follow_heavy(particle: Particle, world: World, stack: Stack, hits: Hits, random: Generator) -> None:
    """Follow a muon, pion or nucleon until it collides, decays, stops or reaches the ground."""
    kind, energy, x, y, z, ux, uy, uz, time, weight = particle
    mass, charge = mass_of(kind), charge_of(kind)
    is_muon = kind in (MUON_MINUS, MUON_PLUS)
    to_collision = 1e9
    if not is_muon:
        to_collision = -interaction_depth(kind, energy) * math.log(1.0 - random.random())
    to_decay = 1e12
    if is_muon or kind in (PION_MINUS, PION_PLUS):
        mean = (MUON_DECAY_LENGTH if is_muon else PION_DECAY_LENGTH) * energy / mass
        to_decay = -mean * math.log(1.0 - random.random())
    least = mass * 1.1 if is_muon else mass + LEAST_ENERGY
    while z >= world.floor and uz < FLATTEST and energy > least:
        ratio = mass / energy
        beta_squared = 1.0 - ratio * ratio
        velocity = SPEED_OF_LIGHT * math.sqrt(beta_squared)
        length = _step_length(world, energy, mass, charge, z)
        altitude = z + 0.5 * uz * length + world.targets.observation_level
        density = interpolated(world.air.density, world.air.step, altitude)
        collides = density * length * 100.0 >= to_collision
        if collides:
            length = to_collision / (density * 100.0)
        decays = length >= to_decay
        if decays:
            length, collides = to_decay, False
        depth = density * length * 100.0
        if charge != 0.0:
            ux, uy, uz = scattered((ux, uy, uz), energy * beta_squared, max(depth, 1e-4), random)
            ux, uy, uz = bent((ux, uy, uz), world.field, length, energy, charge)
            way = random.random() * length
            emit(
                (x + ux * way, y + uy * way, z + uz * way), (ux, uy, uz), time + way / velocity,
                length, beta_squared, weight, world.air, world.targets, hits, random,
            )  # fmt: skip
            energy -= IONISATION * depth
        x, y, z, time = x + ux * length, y + uy * length, z + uz * length, time + length / velocity
        to_collision -= depth
        to_decay -= length
        here = (kind, energy, x, y, z, ux, uy, uz, time, weight)
        if decays:
            _decay(here, world, stack, random)
            return
        if collides:
            collide(here, world, stack, random)
            return
