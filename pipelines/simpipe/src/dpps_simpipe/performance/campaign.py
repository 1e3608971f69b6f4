"""What is simulated to measure the performance of an array: populations of showers, in batches."""

from dataclasses import asdict, dataclass
from typing import Any

from dpps.domain.errors import InvalidInput

__all__ = ["POPULATIONS", "Campaign", "Population"]

#: Runs of a population are numbered from its first run on.
_RUNS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Showers of one kind and purpose.

    Attributes
    ----------
    name : str
        Begins the names of its files.
    primary : str
        Kind of particle.
    first_run : int
        A batch is the run of this number plus its own.
    showers : int
        In a batch.
    energy_min_tev, energy_max_tev : float
        Limits of the thrown energy in TeV.
    spectral_index : float
        Of the thrown spectrum dN/dE; flat, so that high energies are not rare.
    view_cone_deg : float
        Radius in degrees of the cone of directions around the pointing; 0: one direction.
    """

    name: str
    primary: str
    first_run: int
    showers: int
    energy_min_tev: float
    energy_max_tev: float
    spectral_index: float
    view_cone_deg: float


POPULATIONS = (
    Population(
        name="gamma", primary="gamma", first_run=_RUNS, showers=2000, energy_min_tev=0.02,
        energy_max_tev=50.0, spectral_index=-1.5, view_cone_deg=0.0,
    ),
    Population(
        name="gamma-diffuse", primary="gamma", first_run=2 * _RUNS, showers=1200, energy_min_tev=0.015,
        energy_max_tev=75.0, spectral_index=-1.5, view_cone_deg=2.0,
    ),
    Population(
        name="proton-training", primary="proton", first_run=3 * _RUNS, showers=2000, energy_min_tev=0.1,
        energy_max_tev=100.0, spectral_index=-1.7, view_cone_deg=4.0,
    ),
    Population(
        name="proton", primary="proton", first_run=4 * _RUNS, showers=6000, energy_min_tev=0.06,
        energy_max_tev=100.0, spectral_index=-2.0, view_cone_deg=4.0,
    ),
    Population(
        name="electron", primary="electron", first_run=5 * _RUNS, showers=1000, energy_min_tev=0.02,
        energy_max_tev=20.0, spectral_index=-2.0, view_cone_deg=2.5,
    ),
)  # fmt: skip
"""Gammas to measure, gammas and protons to train on, protons and electrons as background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Populations at one point of the sky, for one array.

    Attributes
    ----------
    seed : int
        Of all showers; runs differ by their number.
    batches : int
        Runs of each population.
    part : float
        Showers of a batch relative to those of `POPULATIONS`; below 1: a reduced case.
    energy_min_tev, energy_max_tev : float
        Nothing beyond is thrown. For reduced cases, where few showers must do.
    core_radius_m : float
        Radius in m of the disc of cores.
    array : str
        Of the instrument model.
    altitude_deg, azimuth_deg : float
        Pointing; azimuth from North to East.
    """

    seed: int
    batches: int
    part: float = 1.0
    energy_min_tev: float = 0.0
    energy_max_tev: float = 300.0
    core_radius_m: float = 800.0
    array: str = "ctao-north-alpha"
    altitude_deg: float = 70.0
    azimuth_deg: float = 180.0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises
        ------
        InvalidInput
            A number is out of its range.
        """
        if not 1 <= self.batches < _RUNS or not 0.0 < self.part <= 1.0 or self.seed < 0:
            raise InvalidInput(
                f"no campaign has {self.batches} batches of a part {self.part:g} with the seed {self.seed}",
                code="simpipe.campaign-invalid",
                next_step=f"Give 1 to {_RUNS - 1} batches, a part above 0 and at most 1, a seed from 0 on.",
            )

    def showers(self, population: Population) -> int:
        """Give the showers in a batch of a population."""
        return max(round(population.showers * self.part), 1)

    def energies_tev(self, population: Population) -> tuple[float, float]:
        """Give the limits of the thrown energies of a population in TeV."""
        low = max(population.energy_min_tev, self.energy_min_tev)
        return low, min(population.energy_max_tev, self.energy_max_tev)

    def run_description(self, population: Population, batch: int) -> dict[str, Any]:
        """Describe the run of a batch.

        Parameters
        ----------
        population : Population
            Which showers.
        batch : int
            From 1.

        Returns
        -------
        dict
            See `dpps_simpipe.simulation.description.Run`.
        """
        low, high = self.energies_tev(population)
        return {
            "dpps_simulation": 1,
            "run": population.first_run + batch,
            "primary": population.primary,
            "showers": self.showers(population),
            "energy_min_tev": low,
            "energy_max_tev": high,
            "spectral_index": population.spectral_index,
            "view_cone_deg": population.view_cone_deg,
            "seed": self.seed,
            "core_radius_m": self.core_radius_m,
            "altitude_deg": self.altitude_deg,
            "azimuth_deg": self.azimuth_deg,
            "array": self.array,
            "block_showers": self.showers(population),
        }

    def settings(self) -> dict[str, Any]:
        """Give what the kept events depend on: all but the number of batches."""
        return {
            "campaign": {name: value for name, value in asdict(self).items() if name != "batches"},
            "populations": [asdict(one) for one in POPULATIONS],
        }
