"""A whole shower: from the primary particle to photoelectrons in telescope spheres."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from dpps.domain.errors import InvalidInput
from dpps_simpipe.compiled import FloatArray, IntArray, borrowed, compiled
from dpps_simpipe.showers.constants import ELECTRON_MASS, MUON_MASS, PROTON_MASS, SPEED_OF_LIGHT
from dpps_simpipe.showers.electrons import convert_photon, follow_electron, follow_photon
from dpps_simpipe.showers.emission import PHOTON_COLUMNS, PROFILE_BIN, Hits
from dpps_simpipe.showers.hadrons import collide
from dpps_simpipe.showers.heavy import follow_heavy
from dpps_simpipe.showers.stack import (
    ELECTRON,
    MUON_MINUS,
    NEUTRON,
    PHOTON,
    POSITRON,
    PROTON,
    Particle,
    Stack,
    pop,
    push,
)
from dpps_simpipe.showers.world import World

__all__ = ["PRIMARIES", "Buffers", "Primary", "Shower", "simulate_shower"]

#: Rows of the particle stack; a deeper cascade is an error.
STACK_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """A kind of primary particle.

    Parameters
    ----------
    name : str
        Name in run descriptions.
    code : int
        ctapipe's (sim_telarray's) code of the particle.
    mass : float
        Mass in MeV.
    kinds : tuple of int
        Particles on the stack: one, or the nucleons of a nucleus, which share the energy.
    """

    name: str
    code: int
    mass: float
    kinds: tuple[int, ...]


PRIMARIES = {
    primary.name: primary
    for primary in (
        Primary(name="gamma", code=0, mass=0.0, kinds=(PHOTON,)),
        Primary(name="electron", code=1, mass=ELECTRON_MASS, kinds=(ELECTRON,)),
        Primary(name="muon", code=2, mass=MUON_MASS, kinds=(MUON_MINUS,)),
        Primary(name="proton", code=101, mass=PROTON_MASS, kinds=(PROTON,)),
        Primary(name="helium", code=402, mass=3727.379, kinds=(PROTON, PROTON, NEUTRON, NEUTRON)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shower:
    """What a shower gave.

    Parameters
    ----------
    photons : array
        Photoelectrons, columns `PHOTON_COLUMNS`, times relative to the shower front: the time at which a
        plane that moves with the primary at the speed of light reaches the core. Sorted by sphere; those of
        a sphere in the order in which they were made. Shape (n, 8).
    target : array
        Index of the sphere of each. Shape (n,).
    light : array
        Expected photons (240-1000 nm, emitted towards the sphere) and photoelectrons. Shape (n_targets, 2).
    first_interaction : float
        z in m of the first interaction above the observation level.
    profile : array
        Number of charged particles at vertical thickness bins of 10 g/cm². Shape (n,).
    depth_of_maximum : float
        Slant depth in g/cm² of the maximum; NaN when no charged particle could make light.
    """

    photons: FloatArray
    target: IntArray
    light: FloatArray
    first_interaction: float
    profile: FloatArray
    depth_of_maximum: float


class Buffers:
    """Memory that showers are simulated in, kept from one shower to the next."""

    def __init__(self, capacity: int = 1 << 18) -> None:
        self.stack = Stack(rows=np.empty((STACK_ROWS, 10)), depth=np.zeros(1, dtype=np.int64))
        self.grow(capacity)

    def grow(self, capacity: int) -> None:
        """Make room for photoelectrons.

        Parameters
        ----------
        capacity : int
            Number of photoelectrons.
        """
        self.photons = np.empty((capacity, len(PHOTON_COLUMNS)), dtype=np.float32)
        self.target = np.empty(capacity, dtype=np.int32)


@compiled
def _interact_at_once(world: World, stack: Stack, random: Generator) -> None:
    """Let the particle on the stack interact where it is."""
    particle = pop(stack)
    if int(particle[0]) == PHOTON:
        convert_photon(particle, world, stack, random)
    else:
        collide(particle, world, stack, random)


@compiled
def _run(world: World, stack: Stack, hits: Hits, random: Generator) -> float:
    """Follow everything on the stack; give z of the first interaction."""
    # The caller keeps everything until the shower is done.
    air_and_more, waiting, found, source = borrowed(world), borrowed(stack), borrowed(hits), borrowed(random)
    first = math.nan
    while stack.depth[0] > 0:
        if stack.depth[0] > len(stack.rows):
            return math.nan
        particle = pop(waiting)
        before = stack.depth[0]
        kind = int(particle[0])
        if kind == PHOTON:
            follow_photon(particle, air_and_more, waiting, source)
        elif kind <= POSITRON:
            follow_electron(particle, air_and_more, waiting, found, source)
        else:
            follow_heavy(particle, air_and_more, waiting, found, source)
        if math.isnan(first) and before < stack.depth[0] <= len(stack.rows):
            first = stack.rows[before, 4]
    return first


def simulate_shower(
    primary: Primary,
    energy: float,
    direction: tuple[float, float, float],
    world: World,
    random: Generator,
    buffers: Buffers,
    first_interaction: float | None = None,
) -> Shower:
    """Simulate one shower whose axis goes through the origin.

    Parameters
    ----------
    primary : Primary
        Kind of particle.
    energy : float
        Total energy in MeV.
    direction : tuple of float
        Direction of flight (z < 0): North, West, up.
    world : World
        Atmosphere, telescopes, field.
    random : Generator
        Source of randomness of this shower alone.
    buffers : Buffers
        Memory.
    first_interaction : float or None
        Altitude in m above sea level at which a gamma or proton interacts first; None: drawn.

    Returns
    -------
    Shower
        Photoelectrons and truth.

    Raises
    ------
    InvalidInput
        The energy is below the mass, or the particle does not fly downwards.
    """
    if energy <= primary.mass or direction[2] > -0.2:
        raise InvalidInput(
            f"a {primary.name} of {energy:.4g} MeV at cos(zenith) {-direction[2]:.3f} is not simulated",
            code="simpipe.primary-invalid",
            next_step="Give an energy above the mass and a zenith angle below 78 degrees.",
            primary=primary.name,
        )
    state = random.bit_generator.state
    while True:
        hits = _hits(world, direction, buffers)
        top = world.air.top if first_interaction is None else min(first_interaction, world.air.top)
        _load(primary, energy, direction, world, buffers.stack, top)
        if first_interaction is not None:
            _interact_at_once(world, buffers.stack, random)
        first = _run(world, buffers.stack, hits, random)
        made = int(hits.made[0])
        if buffers.stack.depth[0] > STACK_ROWS:
            raise InvalidInput(
                f"the shower of a {primary.name} of {energy:.4g} MeV outgrew the particle stack",
                code="simpipe.stack-overflow",
                next_step="Report this shower with its seed.",
                primary=primary.name,
            )
        if made <= len(buffers.target):
            break
        buffers.grow(made * 5 // 4)
        random.bit_generator.state = state
    order = np.argsort(buffers.target[:made], kind="stable")
    profile = hits.profile / PROFILE_BIN * -direction[2]
    return Shower(
        photons=buffers.photons[order],
        target=buffers.target[order],
        light=hits.light,
        first_interaction=(
            first if first_interaction is None else first_interaction - world.targets.observation_level
        ),
        profile=profile,
        depth_of_maximum=_maximum(profile) / -direction[2],
    )


def _hits(world: World, direction: tuple[float, float, float], buffers: Buffers) -> Hits:
    """Make empty collections; times count from the passage of the light front through the core."""
    height = world.air.top - world.targets.observation_level
    return Hits(
        photons=buffers.photons,
        target=buffers.target,
        made=np.zeros(1, dtype=np.int64),
        light=np.zeros((len(world.targets.radius), 2)),
        origin=height / -direction[2] / SPEED_OF_LIGHT,
        profile=np.zeros(int(world.air.thickness[0] / PROFILE_BIN) + 2),
    )


def _load(
    primary: Primary,
    energy: float,
    direction: tuple[float, float, float],
    world: World,
    stack: Stack,
    top: float,
) -> None:
    """Put the primary on its way at an altitude in m; time counts from the top of the atmosphere."""
    height = top - world.targets.observation_level
    way = height / -direction[2]
    time = (world.air.top - top) / -direction[2] / SPEED_OF_LIGHT
    stack.depth[0] = 0
    for kind in primary.kinds:
        particle: Particle = (
            kind, energy / len(primary.kinds), -direction[0] * way, -direction[1] * way, height,
            direction[0], direction[1], direction[2], time, 1.0,
        )  # fmt: skip
        push(stack, particle)


def _maximum(profile: FloatArray) -> float:
    """Give the vertical thickness of the maximum: parabola through the smoothed profile."""
    smooth = np.convolve(profile, np.ones(5) / 5, mode="same")
    if smooth.max() <= 0:
        return math.nan
    peak = int(np.clip(np.argmax(smooth), 1, len(smooth) - 2))
    left, middle, right = smooth[peak - 1 : peak + 2]
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float((peak + 0.5 + shift) * PROFILE_BIN)
