"""Air showers: particles, their Cherenkov light, and the telescopes that it reaches."""

from dpps_simpipe.showers.cascade import PRIMARIES, Buffers, Primary, Shower, simulate_shower
from dpps_simpipe.showers.emission import PHOTON_COLUMNS, REFERENCE_PHOTONS, Targets
from dpps_simpipe.showers.world import World, make_world

__all__ = [
    "PHOTON_COLUMNS",
    "PRIMARIES",
    "REFERENCE_PHOTONS",
    "Buffers",
    "Primary",
    "Shower",
    "Targets",
    "World",
    "make_world",
    "simulate_shower",
]
