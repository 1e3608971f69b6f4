"""Rings of muons: Cherenkov light of a straight track near the telescope, traced through its optics."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from dpps_simpipe.atmosphere import load_atmosphere
from dpps_simpipe.calibration_runs.description import Muons
from dpps_simpipe.camera.optics import imaged, pointing_axes
from dpps_simpipe.camera.tables import prepare_camera
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import Array, Telescope
from dpps_simpipe.observation.spectra import EnergySampler, PowerLaw
from dpps_simpipe.showers.constants import MUON_MASS, SPEED_OF_LIGHT
from dpps_simpipe.simulation.light import YIELD_STEP, LightYields

__all__ = ["Muon", "MuonLight", "draw_muon"]

#: Step in m of the track.
_STEP = 2.0
#: Light is followed to where the smallest angle of interest still reaches the dish.
_LEAST_ANGLE = math.radians(0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Muon:
    """How a muon passes a telescope.

    Parameters
    ----------
    energy_tev : float
        Energy.
    impact_m, impact_angle : float
        Where it passes, in the plane through the telescope perpendicular to it: distance, and angle in rad
        from the direction of increasing altitude.
    altitude, azimuth : float
        Direction it comes from, in rad.
    """

    energy_tev: float
    impact_m: float
    impact_angle: float
    altitude: float
    azimuth: float


def draw_muon(muons: Muons, altitude_deg: float, azimuth_deg: float, random: Generator) -> Muon:
    """Draw a muon.

    Parameters
    ----------
    muons : Muons
        Their distribution.
    altitude_deg, azimuth_deg : float
        Pointing of the telescope.
    random : Generator
        Source of randomness.

    Returns
    -------
    Muon
        One of them.
    """
    spectrum = PowerLaw(amplitude=1.0, reference_tev=1.0, index=muons.index)
    sampler = EnergySampler(spectrum, muons.energy_min_tev, muons.energy_max_tev)
    axes = pointing_axes(math.radians(altitude_deg), math.radians(azimuth_deg))
    cosine = 1.0 - random.random() * (1.0 - math.cos(math.radians(muons.view_cone_deg)))
    sine, phi = math.sqrt(max(1.0 - cosine * cosine, 0.0)), 2 * math.pi * random.random()
    x, y, z = cosine * axes[2] + sine * (math.cos(phi) * axes[0] + math.sin(phi) * axes[1])
    return Muon(
        energy_tev=float(sampler.draw(np.array([random.random()]))[0]),
        impact_m=muons.impact_max_m * math.sqrt(random.random()),
        impact_angle=2 * math.pi * random.random(),
        altitude=math.asin(min(float(z), 1.0)),
        azimuth=math.atan2(-float(y), float(x)) % (2 * math.pi),
    )


class MuonLight:
    """Photoelectrons of muons in one telescope.

    The track is straight and the energy constant over the last kilometre: scattering and bending, which
    widen rings of less than 10 GeV, are left out. Light: I. Frank & I. Tamm 1937 with extinction and the
    efficiency chain of the model, as for showers; rings of it: G. Vacanti et al.,
    Astropart. Phys. 2 (1994) 1.

    Parameters
    ----------
    array : Array
        Array with one telescope.
    throughput : float
        True optical efficiency over that of the model.
    """

    def __init__(self, array: Array, throughput: float) -> None:
        self._telescope: Telescope = array.telescopes[0]
        self._throughput = throughput
        atmosphere = load_atmosphere(array.atmosphere)
        self._air = atmosphere.tables()
        self._yields = LightYields(array, atmosphere)
        self._level = array.observation_level_m + self._telescope.position_m[2]

    def angle(self, energy_tev: float, altitude_m: FloatArray) -> FloatArray:
        """Give the Cherenkov angle.

        Parameters
        ----------
        energy_tev : float
            Energy of the muon.
        altitude_m : array
            Altitudes above sea level.

        Returns
        -------
        array
            Angle in rad at 400 nm; 0 below the threshold.
        """
        grid = np.arange(len(self._air.refractivity)) * self._air.step
        index = 1.0 + np.interp(altitude_m, grid, self._air.refractivity)
        beta = math.sqrt(1.0 - (MUON_MASS / (energy_tev * 1e6)) ** 2)
        return np.asarray(np.arccos(np.minimum(1.0 / (index * beta), 1.0)))

    def image(self, muon: Muon, axes: FloatArray, random: Generator) -> tuple[IntArray, FloatArray]:
        """Draw the photoelectrons of a muon.

        Parameters
        ----------
        muon : Muon
            The muon.
        axes : array
            Of the telescope, see `dpps_simpipe.camera.optics.pointing_axes`. Shape (3, 3).
        random : Generator
            Source of randomness.

        Returns
        -------
        tuple of array
            Pixels, and times in ns after the muon's passage.
        """
        kind = self._telescope.kind
        its = pointing_axes(muon.altitude, muon.azimuth)
        reach = (muon.impact_m + kind.dish_edge_m) / math.tan(_LEAST_ANGLE)
        way = np.arange(_STEP / 2, reach, _STEP)
        altitude = self._level + way * its[2, 2]
        angle = self.angle(muon.energy_tev, altitude)
        # A ring of light of this radius surrounds the track: where it is wider, it has passed the dish.
        near = way * np.tan(angle) < muon.impact_m + kind.dish_edge_m
        yields = self._yields.at(float(its[2, 2]))[0]
        per_metre = np.interp(altitude, np.arange(len(yields)) * YIELD_STEP, yields)
        mean = self._throughput * per_metre * np.sin(angle) ** 2 * _STEP * near
        step = np.repeat(np.arange(len(way)), random.poisson(mean))
        photons = self._photons(muon, its, way[step], angle[step], altitude[step], random)
        camera = prepare_camera(kind)
        pixel, time = imaged(photons, axes, camera.optics, camera.raster, random)
        return pixel[pixel >= 0], time[pixel >= 0]

    def _photons(
        self,
        muon: Muon,
        its: FloatArray,
        way: FloatArray,
        angle: FloatArray,
        altitude: FloatArray,
        random: Generator,
    ) -> FloatArray:
        """Give photons by their place of emission, see `dpps_simpipe.showers.PHOTON_COLUMNS`."""
        number = len(way)
        phi = 2 * math.pi * random.random(number)
        across = np.outer(np.cos(phi), its[0]) + np.outer(np.sin(phi), its[1])
        direction = -np.cos(angle)[:, np.newaxis] * its[2] + np.sin(angle)[:, np.newaxis] * across
        impact = muon.impact_m * (math.cos(muon.impact_angle) * its[0] + math.sin(muon.impact_angle) * its[1])
        place = impact + (way + _STEP * (random.random(number) - 0.5))[:, np.newaxis] * its[2]
        grid = np.arange(len(self._air.refractivity)) * self._air.step
        # Emitted before the passage; the light is slower than the muon by the index of the air.
        time = way * np.interp(altitude, grid, self._air.refractivity) - way
        photons = np.empty((number, 8), dtype=np.float32)
        photons[:, 0:3], photons[:, 3:6] = place, direction
        photons[:, 6], photons[:, 7] = time / SPEED_OF_LIGHT, altitude
        return photons
