"""Hadronic collisions with air: a simple generator with the right moments.

The energy is shared by A.M. Hillas' splitting algorithm (Proc. 17th ICRC, Paris 8 (1981) 193; Nucl. Phys. B
Proc. Suppl. 52B (1997) 29), which reproduces accelerator data for pion spectra in nuclear collisions;
transverse momenta are exponential with a mean of 0.34 GeV (as at ISR energies). Not simulated: kaons,
baryon pairs, fragments of the struck nucleus. Nuclei are independent nucleons (superposition).
"""

import math

from numpy.random import Generator

from dpps_simpipe.compiled import compiled
from dpps_simpipe.showers.constants import PION_MASS, PROTON_MASS
from dpps_simpipe.showers.electrons import add_electromagnetic
from dpps_simpipe.showers.geometry import azimuth, turned
from dpps_simpipe.showers.stack import (
    NEUTRON,
    PHOTON,
    PION_MINUS,
    PION_PLUS,
    PROTON,
    Particle,
    Stack,
    push,
)
from dpps_simpipe.showers.world import World

__all__ = ["collide", "interaction_depth"]

#: Mass of the neutral pion in MeV.
NEUTRAL_PION_MASS = 134.9768
#: Scale of transverse momenta in MeV: p exp(-p/scale) has the mean 2 scale.
TRANSVERSE_SCALE = 170.0
#: Mean mass of an air nucleus over Avogadro's constant: λ = this / σ, in g/cm² mb.
MASS_PER_MILLIBARN = 24160.0
#: Inelastic cross-section of pions over that of protons (both on air).
PION_TO_PROTON = 0.75
#: Hadrons with less energy than this (MeV) are given up: their pions make no visible light.
LEAST_ENERGY = 1500.0


@compiled
def interaction_depth(kind: int, energy: float) -> float:
    """Give the mean depth to an inelastic collision in g/cm².

    Proton-air cross-section 290 - 8.7 ln E + 1.14 ln² E mb, E in GeV (H.H. Mielke et al., J. Phys. G 20
    (1994) 637).
    """
    logarithm = math.log(max(energy / 1000.0, 5.0))
    section = 290.0 - 8.7 * logarithm + 1.14 * logarithm * logarithm
    if kind in (PION_MINUS, PION_PLUS):
        section *= PION_TO_PROTON
    return MASS_PER_MILLIBARN / section


@compiled
def _deflected(particle: Particle, energy: float, random: Generator) -> tuple[float, float, float]:
    """Give a direction with a random transverse momentum."""
    transverse = -TRANSVERSE_SCALE * math.log((1.0 - random.random()) * (1.0 - random.random()))
    theta = math.asin(min(transverse / energy, 0.9))
    return turned(particle[5], particle[6], particle[7], theta, azimuth(random))


@compiled
def _add_pion(particle: Particle, energy: float, world: World, stack: Stack, random: Generator) -> None:
    """Put a pion of random charge on the stack; a neutral one decays at once."""
    _, _, x, y, z, _, _, _, time, weight = particle
    ux, uy, uz = _deflected(particle, energy, random)
    choice = random.random()
    if choice >= 1.0 / 3.0:
        if energy > LEAST_ENERGY:
            kind = PION_MINUS if choice < 2.0 / 3.0 else PION_PLUS
            push(stack, (kind, energy, x, y, z, ux, uy, uz, time, weight))
        return
    cosine = 2.0 * random.random() - 1.0
    transverse = 0.5 * NEUTRAL_PION_MASS * math.sqrt(1.0 - cosine * cosine)
    phi = azimuth(random)
    for sign in (1.0, -1.0):
        photon = 0.5 * energy * (1.0 + sign * cosine)
        if photon <= world.physics.threshold:
            continue
        theta = math.asin(min(transverse / photon, 0.9))
        vx, vy, vz = turned(ux, uy, uz, theta, phi if sign > 0.0 else phi + math.pi)
        add_electromagnetic((PHOTON, photon, x, y, z, vx, vy, vz, time, weight), world, stack, random)


@compiled
def _split_into_pions(
    particle: Particle, energy: float, world: World, stack: Stack, random: Generator
) -> None:
    """Share energy among pions: a random part each time, until less than a pion is left."""
    left = energy
    while left > PION_MASS:
        part = left * random.random()
        left -= part
        if part > PION_MASS:
            _add_pion(particle, part, world, stack, random)


@compiled
def collide(particle: Particle, world: World, stack: Stack, random: Generator) -> None:
    """Let a nucleon or pion collide and put what it makes on the stack."""
    kind = int(particle[0])
    energy = particle[1]
    available = energy
    if kind in (PROTON, NEUTRON):
        leading = energy * random.random()
        available = energy - leading
        if leading > LEAST_ENERGY + PROTON_MASS:
            ux, uy, uz = _deflected(particle, leading, random)
            after = kind if random.random() < 2.0 / 3.0 else PROTON + NEUTRON - kind
            push(
                stack,
                (after, leading, particle[2], particle[3], particle[4], ux, uy, uz, particle[8], particle[9]),
            )
    first = available * random.random()
    for half in (first, available - first):
        quarter = half * random.random()
        _split_into_pions(particle, quarter, world, stack, random)
        _split_into_pions(particle, half - quarter, world, stack, random)
