"""Draw synthetic simulated events: true and reconstructed values, arrays of one length."""

from dataclasses import dataclass

import numpy as np

from dpps_datapipe.testing.response import Floats, KnownResponse

__all__ = ["Sample", "SyntheticEvents", "directions_around", "draw_events"]

_PARTICLE_IDS = {"gamma": 0, "electron": 1, "proton": 101}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is thrown."""

    particle: str = "gamma"
    n_showers: int = 200_000
    energy_min_tev: float = 0.02
    energy_max_tev: float = 100.0
    spectral_index: float = -2.0
    #: Radius of the circle in which cores fall, metres.
    scatter_radius_m: float = 1000.0
    #: Directions fill a cone of this half-angle around the pointing; 0: all come from its centre.
    viewcone_deg: float = 5.0
    pointing_altitude_deg: float = 70.0
    pointing_azimuth_deg: float = 180.0
    obs_id: int = 1
    seed: int = 0

    @property
    def particle_id(self) -> int:
        """Identifier of the primary in CORSIKA's numbering as ctapipe keeps it."""
        return _PARTICLE_IDS[self.particle]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticEvents:
    """Accepted events. Angles in degrees, energies in TeV, lengths in metres; shape ``(n,)``."""

    true_energy: Floats
    true_altitude: Floats
    true_azimuth: Floats
    core_x: Floats
    core_y: Floats
    energy: Floats
    altitude: Floats
    azimuth: Floats
    gammaness: Floats
    #: Number of telescopes, 2 to 4.
    multiplicity: Floats

    def __len__(self) -> int:
        return len(self.energy)


def directions_around(
    altitude: Floats | float, azimuth: Floats | float, shift: Floats
) -> tuple[Floats, Floats]:
    """Give directions displaced on the sphere.

    Parameters
    ----------
    altitude, azimuth : float or numpy.ndarray
        Centre, degrees.
    shift : numpy.ndarray
        Displacements along the local directions of azimuth and altitude, shape ``(2, n)``, degrees.

    Returns
    -------
    tuple of numpy.ndarray
        Altitude and azimuth in degrees.
    """
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    centre = SkyCoord(azimuth * u.deg, altitude * u.deg)
    separation = np.hypot(*shift) * u.deg
    angle = np.arctan2(shift[0], shift[1]) * u.rad
    moved = centre.directional_offset_by(angle, separation)
    return np.asarray(moved.dec.deg), np.asarray(moved.ra.deg)


def _energies(sample: Sample, random: np.random.Generator) -> Floats:
    """Draw from the power law of the sample."""
    power = sample.spectral_index + 1.0
    low, high = sample.energy_min_tev**power, sample.energy_max_tev**power
    return np.asarray((low + random.random(sample.n_showers) * (high - low)) ** (1.0 / power))


def draw_events(sample: Sample, response: KnownResponse) -> SyntheticEvents:
    """Throw showers and keep what the response accepts.

    Parameters
    ----------
    sample : Sample
        What is thrown.
    response : KnownResponse
        What is seen; of other particles than gammas and electrons a tenth of that.

    Returns
    -------
    SyntheticEvents
    """
    random = np.random.default_rng([sample.seed, sample.particle_id])
    like_gamma = sample.particle != "proton"
    energy = _energies(sample, random)
    cosine = 1.0 - random.random(sample.n_showers) * (1.0 - np.cos(np.radians(sample.viewcone_deg)))
    offset = np.degrees(np.arccos(cosine))
    thrown_area_m2 = np.pi * sample.scatter_radius_m**2
    accepted = response.area_m2(energy, offset) / thrown_area_m2 * (1.0 if like_gamma else 0.1)
    kept = random.random(sample.n_showers) < accepted
    energy, offset = energy[kept], offset[kept]
    number = len(energy)
    angle = random.uniform(0.0, 2.0 * np.pi, number)
    altitude, azimuth = directions_around(
        sample.pointing_altitude_deg,
        sample.pointing_azimuth_deg,
        offset * np.array([np.sin(angle), np.cos(angle)]),
    )
    reconstructed = directions_around(altitude, azimuth, response.displacement_deg(energy, random))
    radius = 150.0 * np.sqrt(random.random(number))
    around = random.uniform(0.0, 2.0 * np.pi, number)
    return SyntheticEvents(
        true_energy=energy,
        true_altitude=altitude,
        true_azimuth=azimuth,
        core_x=radius * np.cos(around),
        core_y=radius * np.sin(around),
        energy=response.reconstructed_energy_tev(energy, random),
        altitude=reconstructed[0],
        azimuth=reconstructed[1],
        gammaness=response.gammaness(like_gamma, number, random),
        multiplicity=random.integers(2, 5, number).astype(float),
    )
