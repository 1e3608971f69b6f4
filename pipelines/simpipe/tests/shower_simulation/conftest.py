"""What the tests of the simulator share."""

from collections.abc import Callable

import numpy as np
import pytest
from dpps_simpipe.atmosphere import Atmosphere, built_in_atmosphere
from dpps_simpipe.showers import (
    PRIMARIES,
    REFERENCE_PHOTONS,
    Buffers,
    Shower,
    Targets,
    make_world,
    simulate_shower,
)
from dpps_simpipe.showers.emission import sphere_around
from numpy.random import Generator, Philox, SeedSequence

LEVEL = 2156.0
RADIUS = 10.0
#: Photoelectrons per photon, at every altitude.
EFFICIENCY = 0.02

type MakeShower = Callable[..., Shower]


@pytest.fixture(scope="session")
def atmosphere() -> Atmosphere:
    return built_in_atmosphere("ctao-north-winter")


@pytest.fixture(scope="session")
def make_shower(atmosphere: Atmosphere) -> MakeShower:
    air = atmosphere.tables()
    buffers = Buffers()

    def make(
        primary: str,
        energy_gev: float,
        number: int,
        *,
        impacts: tuple[float, ...] = (),
        zenith: float = 0.0,
        weight: float = 1.0,
        first_interaction: float | None = None,
    ) -> Shower:
        position = np.array([[0.0, impact, 0.0] for impact in impacts]).reshape(-1, 3)
        targets = Targets(
            position=position,
            radius=np.full(len(impacts), RADIUS),
            kind=np.zeros(len(impacts), dtype=np.int64),
            light_yield=np.full((1, 300), REFERENCE_PHOTONS * EFFICIENCY),
            yield_step=250.0,
            observation_level=LEVEL,
            cover=sphere_around(position, np.full(len(impacts), RADIUS)),
        )
        world = make_world(air, targets, roulette_weight=weight)
        random = Generator(Philox(SeedSequence(1, spawn_key=(number,))))
        direction = (np.sin(zenith), 0.0, -np.cos(zenith))
        return simulate_shower(
            PRIMARIES[primary], energy_gev * 1e3, direction, world, random, buffers, first_interaction
        )

    return make
