"""What an observation is: the sky, the background, the clock, the blocks."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from dpps.domain.errors import InvalidInput
from dpps_simpipe.instrument import Array, array_names, load_array
from dpps_simpipe.observation.spectra import EnergySampler, Spectrum
from dpps_simpipe.simulation.description import ENERGY_LIMITS

__all__ = ["Background", "Block", "Direction", "Night", "Population", "Target", "refused"]

_PER_CM2 = 1e4
#: The clock of a stream counts quarters of nanoseconds in 64 bit; names of files have 19 digits.
_GREATEST_IDENTIFIER = 10**18
_LONGEST_BLOCK_SECONDS = 4 * 3600.0
#: Showers of a block: more would be simulated for weeks.
_MOST_SHOWERS = 1e8
#: Sources farther from the pointing are outside of every camera.
_FARTHEST_SOURCE_DEG = 10.0


def refused(key: str, reason: str, document: str = "observation") -> InvalidInput:
    """Make the error of a key that cannot be used.

    Parameters
    ----------
    key : str
        Key, with those above it.
    reason : str
        What is wrong.
    document : str
        What is described.

    Returns
    -------
    InvalidInput
        To be raised.
    """
    return InvalidInput(
        f"{document} description: {key} {reason}",
        code=f"simpipe.{document.replace(' ', '-')}-invalid",
        next_step=f"Correct {key} in the {document} description.",
        key=key,
    )


def _check(*rules: tuple[str, bool, str]) -> None:
    for key, fine, reason in rules:
        if not fine:
            raise refused(key, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """A place on the sky.

    Parameters
    ----------
    ra_deg, dec_deg : float
        ICRS.
    """

    ra_deg: float
    dec_deg: float

    def apart_deg(self, other: "Direction") -> float:
        """Give the angle to another place (haversine formula).

        Parameters
        ----------
        other : Direction
            The other.

        Returns
        -------
        float
            In degrees.
        """
        dec, other_dec = math.radians(self.dec_deg), math.radians(other.dec_deg)
        across = math.radians(self.ra_deg - other.ra_deg)
        square = math.sin((dec - other_dec) / 2) ** 2
        square += math.cos(dec) * math.cos(other_dec) * math.sin(across / 2) ** 2
        return 2.0 * math.degrees(math.asin(math.sqrt(min(square, 1.0))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is looked at.

    Parameters
    ----------
    name : str
        Name.
    direction : Direction
        Place.
    """

    name: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Particles of one kind that are thrown at the array.

    Parameters
    ----------
    key : str
        Where the description speaks of it.
    primary : str
        Kind of particle.
    spectrum : Spectrum
        Of the source, or per sr of the background.
    citation : str
        Where a spectrum of the literature is from; empty: given.
    energy_min_tev, energy_max_tev : float
        Energies that are thrown.
    core_radius_m : float
        Cores lie within this radius around the array's centre, in the plane perpendicular to the shower.
    direction : Direction or None
        Of a source; None: diffuse.
    """

    key: str
    primary: str
    spectrum: Spectrum
    citation: str
    energy_min_tev: float
    energy_max_tev: float
    core_radius_m: float
    direction: Direction | None

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises
        ------
        InvalidInput
            A value is out of its range; names the key.
        """
        least, most = ENERGY_LIMITS
        low, high = self.energy_min_tev, self.energy_max_tev
        _check(
            (f"{self.key}.energy_min", low >= least, f"must be at least {least * 1e3:g} GeV"),
            (f"{self.key}.energy_max", high <= most, f"must be at most {most:g} TeV"),
            (f"{self.key}.energy_max", high > low, "must be above energy_min"),
            (
                f"{self.key}.core_radius",
                0.0 < self.core_radius_m <= 5000.0,
                "must be above 0 and at most 5000 m",
            ),
        )

    def sampler(self) -> EnergySampler:
        """Prepare to draw energies.

        Returns
        -------
        EnergySampler
            Of the thrown range.
        """
        return EnergySampler(self.spectrum, self.energy_min_tev, self.energy_max_tev)

    def rate_hz(self, *, view_cone_deg: float, fraction: float) -> float:
        """Give the expected rate of showers on the thrown area.

        Parameters
        ----------
        view_cone_deg : float
            Radius of the cone that a diffuse flux comes from.
        fraction : float
            Thinning of a diffuse flux.

        Returns
        -------
        float
            Showers per second: flux times area (times solid angle times fraction).
        """
        rate = self.sampler().integral * math.pi * self.core_radius_m**2 * _PER_CM2
        if self.direction is not None:
            return rate
        return rate * fraction * 2.0 * math.pi * (1.0 - math.cos(math.radians(view_cone_deg)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Diffuse cosmic rays.

    Parameters
    ----------
    fraction : float
        Part of the real flux that is thrown.
    view_cone_deg : float
        Radius around the pointing.
    populations : tuple of Population
        Kinds of particles.
    """

    fraction: float
    view_cone_deg: float
    populations: tuple[Population, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises
        ------
        InvalidInput
            A value is out of its range; names the key.
        """
        _check(
            ("background.fraction", 0.0 < self.fraction <= 1.0, "must be above 0 and at most 1"),
            ("background.view_cone", 0.0 < self.view_cone_deg <= 10.0, "must be above 0 and at most 10 deg"),
            ("background.primaries", bool(self.populations), "names no particle"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An observation block: one pointing on the sky.

    Parameters
    ----------
    obs_id : int
        Number.
    start : datetime
        Start in UTC (aware, whole seconds).
    duration_s : float
        Elapsed time.
    pointing : Direction
        Followed by all telescopes.
    """

    obs_id: int
    start: datetime
    duration_s: float
    pointing: Direction

    def __post_init__(self) -> None:
        """Refuse what cannot be observed.

        Raises
        ------
        InvalidInput
            A value is out of its range; names the key.
        """
        _check(
            ("blocks.obs_id", 1 <= self.obs_id < _GREATEST_IDENTIFIER, "must be between 1 and 10^18"),
            ("blocks.start", self.start.tzinfo is not None, "has no time zone: write ...Z for UTC"),
            ("blocks.start", self.start.microsecond == 0, "must be a whole second"),
            (
                "blocks.duration",
                0.0 < self.duration_s <= _LONGEST_BLOCK_SECONDS,
                f"must be above 0 and at most {_LONGEST_BLOCK_SECONDS / 3600:g} h",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Blocks that are observed with one array, of one field.

    Parameters
    ----------
    name : str
        For readers.
    seed : int
        Together with the number of a block it fixes all of its events.
    array : str
        Array of the instrument model.
    atmosphere : str
        Built-in profile or table file; empty: that of the array's site.
    sb_id : int
        Scheduling block.
    target : Target
        What is looked at.
    source : Population or None
        Gamma rays of a point source; None: an empty field.
    background : Background or None
        Diffuse cosmic rays; None: none.
    dead_time_s : float
        Time after each recorded event in which no other is recorded; events in it do not prolong it.
    chunk_events : int
        Events in one file of a telescope.
    blocks : tuple of Block
        Observation blocks, which do not overlap in time.
    model : str
        Instrument model: version of the package, or a folder; empty: the newest of the package.
    """

    name: str
    seed: int
    array: str
    atmosphere: str
    sb_id: int
    target: Target
    source: Population | None
    background: Background | None
    dead_time_s: float
    chunk_events: int
    blocks: tuple[Block, ...]
    model: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be observed.

        Raises
        ------
        InvalidInput
            A value is out of its range; names the key.
        """
        arrays = array_names(self.model)
        identifiers = {block.obs_id for block in self.blocks}
        _check(
            ("seed", 0 <= self.seed < 2**63, "must be between 0 and 2^63"),
            ("array", self.array in arrays, f"must be one of {', '.join(arrays)}"),
            ("sb_id", 1 <= self.sb_id < _GREATEST_IDENTIFIER, "must be between 1 and 10^18"),
            ("dead_time", 0.0 <= self.dead_time_s <= 0.1, "must be between 0 and 0.1 s"),
            ("chunk_events", self.chunk_events >= 1, "must be at least 1"),
            ("blocks", bool(self.blocks), "names no block"),
            ("blocks.obs_id", len(identifiers) == len(self.blocks), "is the same for two blocks"),
            (
                "source",
                self.source is not None or self.background is not None,
                "and background are both missing: nothing to simulate",
            ),
        )
        for block in self.blocks:
            self._check_block(block)
        for one, next_one in pairwise(sorted(self.blocks, key=lambda block: block.start)):
            apart = next_one.start >= one.start + timedelta(seconds=one.duration_s)
            _check(("blocks.start", apart, f"of obs_id {next_one.obs_id} is before obs_id {one.obs_id} ends"))

    def load_array(self) -> Array:
        """Load the array of the instrument model.

        Returns
        -------
        Array
            Telescopes, site and efficiencies.
        """
        return load_array(self.array, self.model)

    def _check_block(self, block: Block) -> None:
        """Refuse a block in which nothing of the source is seen, or too much is thrown."""
        expected = {one.key: self.rate_hz(one) * block.duration_s for one in self.populations}
        most = max(expected, key=lambda key: expected[key])
        direction = self.source.direction if self.source else None
        apart = direction.apart_deg(block.pointing) if direction else 0.0
        _check(
            (
                most,
                sum(expected.values()) <= _MOST_SHOWERS,
                f"gives {expected[most]:.3g} showers in obs_id {block.obs_id}; at most {_MOST_SHOWERS:g} are "
                "simulated: take a lower flux or fraction, less energy range, area or time",
            ),
            (
                "source",
                apart <= _FARTHEST_SOURCE_DEG,
                f"is {apart:.1f} deg from the pointing of obs_id {block.obs_id}; at most "
                f"{_FARTHEST_SOURCE_DEG:g} deg",
            ),
        )

    @property
    def populations(self) -> tuple[Population, ...]:
        """All kinds of particles, the source first."""
        diffuse = self.background.populations if self.background else ()
        return (self.source, *diffuse) if self.source else diffuse

    @property
    def view_cone_deg(self) -> float:
        """Radius of the diffuse cone; 0 without background."""
        return self.background.view_cone_deg if self.background else 0.0

    def rate_hz(self, population: Population) -> float:
        """Give the expected rate of thrown showers of a population.

        Parameters
        ----------
        population : Population
            One of `populations`.

        Returns
        -------
        float
            Showers per second.
        """
        fraction = self.background.fraction if self.background else 0.0
        return population.rate_hz(view_cone_deg=self.view_cone_deg, fraction=fraction)
