"""A synthetic observation of a point source with a known spectrum, as a DL2 file without simulation."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dpps_datapipe.dl3.sky import SITES, to_horizon
from dpps_datapipe.testing.files import Images, write_events
from dpps_datapipe.testing.response import Floats, KnownResponse
from dpps_datapipe.testing.showers import SyntheticEvents, directions_around

__all__ = ["SyntheticObservation", "write_observation"]

_M2_TO_CM2 = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticObservation:
    """A source that the array follows beside its centre, and background all over the field."""

    obs_id: int = 2_000_000_077
    start: datetime = datetime(2026, 1, 15, 22, 0, 0, tzinfo=UTC)
    duration_s: float = 1800.0
    source_ra_deg: float = 83.633
    source_dec_deg: float = 22.014
    #: Of the pointing from the source, towards the north celestial pole.
    wobble_deg: float = 0.5
    #: Differential flux at 1 TeV, 1/(cm2 s TeV): of the order of the Crab Nebula.
    amplitude: float = 3.45e-11
    index: float = 2.6
    background_hz: float = 1.0
    #: Part of the time in which nothing is taken.
    dead_fraction: float = 0.05
    #: Nothing is taken from here to there, seconds after the start.
    pause_s: tuple[float, float] = (600.0, 720.0)
    energy_min_tev: float = 0.03
    energy_max_tev: float = 80.0
    seed: int = 0

    @property
    def pointing(self) -> tuple[float, float]:
        """Right ascension and declination in degrees."""
        return self.source_ra_deg, self.source_dec_deg + self.wobble_deg


def _location() -> Any:
    from astropy import units as u
    from astropy.coordinates import EarthLocation

    longitude, latitude, height = SITES["CTAO-North"]
    return EarthLocation.from_geodetic(longitude * u.deg, latitude * u.deg, height * u.m)


def _power_law(number: int, observation: SyntheticObservation, index: float, random: Any) -> Floats:
    power = 1.0 - index
    low, high = observation.energy_min_tev**power, observation.energy_max_tev**power
    return np.asarray((low + random.random(number) * (high - low)) ** (1.0 / power))


def _source_energies(observation: SyntheticObservation, response: KnownResponse, random: Any) -> Floats:
    """Draw the energies of the gammas that are seen, at the source's offset in the field."""
    power = 1.0 - observation.index
    flux = observation.amplitude / power
    flux *= observation.energy_max_tev**power - observation.energy_min_tev**power
    area = response.area_limit_m2
    expected = flux * area * _M2_TO_CM2 * observation.duration_s
    energy = _power_law(random.poisson(expected), observation, observation.index, random)
    offset = np.full(energy.shape, observation.wobble_deg)
    return np.asarray(energy[random.random(len(energy)) < response.area_m2(energy, offset) / area])


def _taken(seconds: Floats, observation: SyntheticObservation, random: Any) -> Any:
    low, high = observation.pause_s
    alive = random.random(len(seconds)) >= observation.dead_fraction
    return alive & ~((seconds >= low) & (seconds < high))


def write_observation(
    path: Path, observation: SyntheticObservation, response: KnownResponse, *, images: bool = False
) -> Path:
    """Draw the events and write them as a DL2 file with models applied.

    Parameters
    ----------
    path : pathlib.Path
        New file (HDF5).
    observation : SyntheticObservation
        What is observed.
    response : KnownResponse
        What is seen of it.
    images : bool
        With image parameters, before the application of models.

    Returns
    -------
    pathlib.Path
        The file.
    """
    from astropy import units as u
    from astropy.time import Time

    random = np.random.default_rng([observation.seed, 7])
    gammas = _source_energies(observation, response, random)
    n_background = random.poisson(observation.background_hz * observation.duration_s)
    true_energy = np.concatenate([gammas, _power_law(n_background, observation, 2.7, random)])
    number = len(true_energy)
    is_gamma = np.arange(number) < len(gammas)
    seconds = random.uniform(0.0, observation.duration_s, number)
    kept = _taken(seconds, observation, random)
    order = np.flatnonzero(kept)[np.argsort(seconds[kept])]
    true_energy, is_gamma, seconds = true_energy[order], is_gamma[order], seconds[order]
    number = len(seconds)
    start = Time(observation.start.replace(tzinfo=None), scale="utc")
    times = start + seconds * u.s
    field = 3.0 * np.sqrt(random.random(number))
    around = random.uniform(0.0, 2.0 * np.pi, number)
    ra, dec = observation.pointing
    background = directions_around(dec, ra, field * np.array([np.sin(around), np.cos(around)]))
    true_dec = np.where(is_gamma, observation.source_dec_deg, background[0])
    true_ra = np.where(is_gamma, observation.source_ra_deg, background[1])
    altitude, azimuth = to_horizon(true_ra, true_dec, times, _location())
    seen = directions_around(altitude, azimuth, response.displacement_deg(true_energy, random))
    gammaness = np.where(
        is_gamma, response.gammaness(True, number, random), response.gammaness(False, number, random)
    )
    events = SyntheticEvents(
        true_energy=true_energy,
        true_altitude=altitude,
        true_azimuth=azimuth,
        core_x=random.normal(0.0, 80.0, number),
        core_y=random.normal(0.0, 80.0, number),
        energy=response.reconstructed_energy_tev(true_energy, random),
        altitude=seen[0],
        azimuth=seen[1],
        gammaness=gammaness,
        multiplicity=random.integers(2, 5, number).astype(float),
    )
    middle = to_horizon(ra, dec, start + observation.duration_s / 2.0 * u.s, _location())
    return write_events(
        path,
        events,
        obs_id=observation.obs_id,
        times=times,
        pointing=(float(middle[0]), float(middle[1])),
        models=not images,
        images=Images(like_gamma=is_gamma, seed=observation.seed) if images else None,
    )
