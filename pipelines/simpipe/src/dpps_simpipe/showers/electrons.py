"""Electrons, positrons and photons on their way through the air."""

import math

from numpy.random import Generator

from dpps_simpipe.compiled import compiled, embedded
from dpps_simpipe.showers.constants import ELECTRON_MASS, RADIATION_LENGTH, SPEED_OF_LIGHT
from dpps_simpipe.showers.emission import Hits, emit, record_depth
from dpps_simpipe.showers.geometry import altitude_of, azimuth, bent, interpolated, turned
from dpps_simpipe.showers.interactions import (
    bremsstrahlung_photon,
    compton_fraction,
    pair_fraction,
    scattered,
)
from dpps_simpipe.showers.stack import ELECTRON, PHOTON, POSITRON, Particle, Stack, push
from dpps_simpipe.showers.world import (
    World,
    depth_length,
    on_energy_grid,
    place_on_energy_grid,
    useless,
)

__all__ = ["add_electromagnetic", "convert_photon", "follow_electron", "follow_photon"]

#: Longest step of an electron in g/cm² and m: in it the direction turns by less than the Cherenkov angle's
#: scale and the light comes from one point.
LONGEST_DEPTH = 0.04 * RADIATION_LENGTH
LONGEST_STEP = 150.0
#: Longest step of an electron whose light misses all telescopes.
UNSEEN_DEPTH = 0.08 * RADIATION_LENGTH


@embedded
def add_electromagnetic(particle: Particle, world: World, stack: Stack, random: Generator) -> None:
    """Put an electron or photon on the stack unless it is useless or loses in the roulette.

    The roulette (statistical thinning, A.M. Hillas, Nucl. Phys. B Proc. Suppl. 52B (1997) 29) keeps one
    of w particles born below an energy and gives it weight w: means stay, fluctuations grow a little.
    """
    kind, energy, x, y, z, ux, uy, uz, time, weight = particle
    if useless(world, energy, z, uz):
        return
    if energy < world.roulette_energy and weight < world.roulette_weight:
        if random.random() * world.roulette_weight >= weight:
            return
        weight = world.roulette_weight
    push(stack, (kind, energy, x, y, z, ux, uy, uz, time, weight))


@compiled
def follow_photon(particle: Particle, world: World, stack: Stack, random: Generator) -> None:
    """Move a photon to its next interaction and put what it makes on the stack."""
    _, energy, x, y, z, ux, uy, uz, time, weight = particle
    pair = on_energy_grid(world.physics, world.physics.pair, energy)
    compton = on_energy_grid(world.physics, world.physics.compton, energy)
    depth = -math.log(1.0 - random.random()) / (pair + compton)
    level = world.targets.observation_level
    below = interpolated(world.air.thickness, world.air.step, z + level) - depth * uz
    new_z = altitude_of(world.air, below) - level
    if new_z < world.floor:
        return
    length = (z - new_z) / -uz
    x, y, z, time = x + ux * length, y + uy * length, new_z, time + length / SPEED_OF_LIGHT
    convert_photon((PHOTON, energy, x, y, z, ux, uy, uz, time, weight), world, stack, random)


@compiled
def convert_photon(particle: Particle, world: World, stack: Stack, random: Generator) -> None:
    """Let a photon make a pair or scatter where it is."""
    _, energy, x, y, z, ux, uy, uz, time, weight = particle
    pair = on_energy_grid(world.physics, world.physics.pair, energy)
    compton = on_energy_grid(world.physics, world.physics.compton, energy)
    phi = azimuth(random)
    if random.random() * (pair + compton) < pair:
        share = pair_fraction(energy, random)
        for kind in (ELECTRON, POSITRON):
            part = energy * (share if kind == ELECTRON else 1.0 - share)
            theta = min(ELECTRON_MASS / part, 1.0)
            vx, vy, vz = turned(ux, uy, uz, theta, phi if kind == ELECTRON else phi + math.pi)
            add_electromagnetic((kind, part, x, y, z, vx, vy, vz, time, weight), world, stack, random)
        return
    kept = energy * compton_fraction(energy, random)
    cosine = 1.0 - ELECTRON_MASS * (1.0 / kept - 1.0 / energy)
    vx, vy, vz = turned(ux, uy, uz, math.acos(max(cosine, -1.0)), phi)
    add_electromagnetic((PHOTON, kept, x, y, z, vx, vy, vz, time, weight), world, stack, random)
    recoil = energy - kept + ELECTRON_MASS
    sine = min(kept * math.sqrt(max(1.0 - cosine * cosine, 0.0)) / recoil, 1.0)
    vx, vy, vz = turned(ux, uy, uz, math.asin(sine), phi + math.pi)
    add_electromagnetic((ELECTRON, recoil, x, y, z, vx, vy, vz, time, weight), world, stack, random)


@embedded
def follow_electron(particle: Particle, world: World, stack: Stack, hits: Hits, random: Generator) -> None:
    """Follow an electron or positron step by step until it is useless; photons go on the stack."""
    kind, energy, x, y, z, ux, uy, uz, time, weight = particle
    charge = -1.0 if kind == ELECTRON else 1.0
    longest = LONGEST_DEPTH
    unscattered = 0.0
    while not useless(world, energy, z, uz):
        place = place_on_energy_grid(world.physics, energy)
        rate = interpolated(world.physics.bremsstrahlung, 1.0, place)
        depth = longest
        radiates = False
        if rate > 0.0:
            to_photon = -math.log(1.0 - random.random()) / rate
            radiates = to_photon < depth
            depth = min(depth, to_photon)
        length = depth_length(world, z, depth)
        if length > LONGEST_STEP:
            depth *= LONGEST_STEP / length
            length, radiates = LONGEST_STEP, False
        ratio = ELECTRON_MASS / energy
        beta_squared = 1.0 - ratio * ratio
        # The direction of the straight step is that of its middle: half of the scattering comes after it.
        traversed = max(unscattered + 0.5 * depth, 1e-4)
        ux, uy, uz = scattered((ux, uy, uz), energy * beta_squared, traversed, random)
        unscattered = 0.5 * depth
        ux, uy, uz = bent((ux, uy, uz), world.field, length, energy, charge)
        lost = depth * interpolated(world.physics.energy_loss, 1.0, place)
        part = random.random()
        there = max(energy - part * lost, ELECTRON_MASS * 1.01)
        ratio_there = ELECTRON_MASS / there
        velocity = SPEED_OF_LIGHT * math.sqrt(beta_squared)
        way = part * length
        is_seen = emit(
            (x + ux * way, y + uy * way, z + uz * way), (ux, uy, uz), time + way / velocity,
            length, 1.0 - ratio_there * ratio_there, weight, world.air, world.targets, hits, random,
        )  # fmt: skip
        longest = LONGEST_DEPTH if is_seen else UNSEEN_DEPTH
        record_depth(z, depth, weight, world.air, world.targets.observation_level, hits)
        x, y, z, time = x + ux * length, y + uy * length, z + uz * length, time + length / velocity
        energy -= lost
        if radiates and energy > world.physics.threshold + ELECTRON_MASS:
            photon = bremsstrahlung_photon(energy, world.physics.threshold, random)
            energy -= photon
            theta = min(ELECTRON_MASS / energy, 0.5)
            vx, vy, vz = turned(ux, uy, uz, theta, azimuth(random))
            add_electromagnetic((PHOTON, photon, x, y, z, vx, vy, vz, time, weight), world, stack, random)
