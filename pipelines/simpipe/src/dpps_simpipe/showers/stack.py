"""Particles waiting to be followed."""

import math
from typing import NamedTuple

from dpps_simpipe.compiled import FloatArray, IntArray, compiled
from dpps_simpipe.showers.constants import (
    ELECTRON_MASS,
    MUON_MASS,
    NEUTRON_MASS,
    PION_MASS,
    PROTON_MASS,
    SPEED_OF_LIGHT,
)

__all__ = [
    "ELECTRON",
    "MUON_MINUS",
    "MUON_PLUS",
    "NEUTRON",
    "PHOTON",
    "PION_MINUS",
    "PION_PLUS",
    "POSITRON",
    "PROTON",
    "Particle",
    "Stack",
    "charge_of",
    "mass_of",
    "pop",
    "push",
]

#: Kinds of particles on the stack.
PHOTON, ELECTRON, POSITRON, MUON_MINUS, MUON_PLUS, PION_MINUS, PION_PLUS, PROTON, NEUTRON = range(9)

#: (kind, total energy in MeV, place in m, direction, time in ns, weight)
type Particle = tuple[int, float, float, float, float, float, float, float, float, float]


class Stack(NamedTuple):
    """Last in, first out. One row per particle: kind, energy, x, y, z, ux, uy, uz, time, weight.

    Attributes
    ----------
    rows : array
        Shape (capacity, 10).
    depth : array
        Number of rows in use; above the capacity after an overflow. Shape (1,).
    """

    rows: FloatArray
    depth: IntArray


@compiled
def push(stack: Stack, particle: Particle) -> None:
    """Put a particle on the stack; an overflow is counted, not stored."""
    row = stack.depth[0]
    if row < len(stack.rows):
        kind, energy, x, y, z, ux, uy, uz, time, weight = particle
        target = stack.rows[row]
        target[0], target[1], target[2], target[3], target[4] = kind, energy, x, y, z
        target[5], target[6], target[7], target[8], target[9] = ux, uy, uz, time, weight
    stack.depth[0] = row + 1


@compiled
def pop(stack: Stack) -> Particle:
    """Take the last particle."""
    stack.depth[0] -= 1
    row = stack.rows[stack.depth[0]]
    return int(row[0]), row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9]


@compiled
def mass_of(kind: int) -> float:
    """Give the mass in MeV."""
    if kind == PHOTON:
        return 0.0
    if kind <= POSITRON:
        return ELECTRON_MASS
    if kind <= MUON_PLUS:
        return MUON_MASS
    if kind <= PION_PLUS:
        return PION_MASS
    return PROTON_MASS if kind == PROTON else NEUTRON_MASS


@compiled
def charge_of(kind: int) -> float:
    """Give the charge in units of the positron's."""
    if kind in (PHOTON, NEUTRON):
        return 0.0
    return -1.0 if kind in (ELECTRON, MUON_MINUS, PION_MINUS) else 1.0


@compiled
def moved(particle: Particle, length: float) -> Particle:
    """Move a particle straight on by a length in m, with its own velocity."""
    kind, energy, x, y, z, ux, uy, uz, time, weight = particle
    ratio = mass_of(kind) / energy
    velocity = SPEED_OF_LIGHT * math.sqrt(max(1.0 - ratio * ratio, 1e-6))
    return (
        kind, energy, x + ux * length, y + uy * length, z + uz * length, ux, uy, uz,
        time + length / velocity, weight,
    )  # fmt: skip
