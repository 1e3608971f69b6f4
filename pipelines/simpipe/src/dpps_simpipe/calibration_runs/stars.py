"""Light of stars in the pixels of a telescope whose pointing is a little wrong."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from dpps_simpipe.calibration_runs.description import Stars
from dpps_simpipe.camera.optics import imaged, pointing_axes
from dpps_simpipe.camera.tables import prepare_camera
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.instrument import TelescopeType
from dpps_simpipe.observation.sky import Horizon

__all__ = ["StarField", "StarPlace"]

#: Rays of a star.
_RAYS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StarPlace:
    """Where a star is seen.

    Parameters
    ----------
    name : str
        Name.
    lon_deg, lat_deg : float
        Offset from the true pointing: along increasing azimuth and altitude.
    nominal_lon_deg, nominal_lat_deg : float
        Offset from the nominal pointing.
    rate : array
        Photoelectrons per ns in each pixel of efficiency 1. Shape (n_pixels,).
    """

    name: str
    lon_deg: float
    lat_deg: float
    nominal_lon_deg: float
    nominal_lat_deg: float
    rate: FloatArray


class StarField:
    """The stars of a run in one telescope.

    Parameters
    ----------
    stars : Stars
        Pointing, its error, stars.
    horizon : Horizon
        Of the array.
    kind : TelescopeType
        Telescope type.
    """

    def __init__(self, stars: Stars, horizon: Horizon, kind: TelescopeType) -> None:
        self._stars = stars
        self._horizon = horizon
        self._kind = kind

    def at(self, seconds: float, random: Generator) -> list[StarPlace]:
        """Trace the stars' light.

        Parameters
        ----------
        seconds : float
            Time after the start.
        random : Generator
            Source of randomness of the rays.

        Returns
        -------
        list of StarPlace
            Places and light.
        """
        moment = np.array([seconds])
        altitude, azimuth = (float(one[0]) for one in self._horizon.of_sky(self._stars.pointing, moment))
        nominal = pointing_axes(altitude, azimuth)
        true = pointing_axes(
            altitude + math.radians(self._stars.offset_altitude_deg),
            azimuth + math.radians(self._stars.offset_azimuth_deg) / math.cos(altitude),
        )
        places = []
        for star in self._stars.stars:
            there = self._horizon.of_sky(star.direction, moment)
            vector = pointing_axes(float(there[0][0]), float(there[1][0]))[2]
            lat, lon = _offset(vector, true)
            nominal_lat, nominal_lon = _offset(vector, nominal)
            places.append(
                StarPlace(
                    name=star.name,
                    lon_deg=lon,
                    lat_deg=lat,
                    nominal_lon_deg=nominal_lon,
                    nominal_lat_deg=nominal_lat,
                    rate=star.rate_per_ns * self._spread(vector, true, random),
                )
            )
        return places

    def _spread(self, vector: FloatArray, axes: FloatArray, random: Generator) -> FloatArray:
        """Give the part of a star's light in each pixel, by rays over the dish."""
        radius = self._kind.dish_edge_m * np.sqrt(random.random(_RAYS))
        phi = 2 * math.pi * random.random(_RAYS)
        photons = np.zeros((_RAYS, 8), dtype=np.float32)
        photons[:, 0:3] = np.outer(radius * np.cos(phi), axes[0]) + np.outer(radius * np.sin(phi), axes[1])
        photons[:, 3:6] = -vector
        camera = prepare_camera(self._kind)
        pixel, _ = imaged(photons, axes, camera.optics, camera.raster, random)
        counts = np.bincount(pixel[pixel >= 0], minlength=camera.n_pixels)
        return np.asarray(counts / _RAYS)


def _offset(vector: FloatArray, axes: FloatArray) -> tuple[float, float]:
    """Give the offset of a direction from a pointing in degrees: along altitude, along azimuth."""
    along = vector @ axes[2]
    return (
        math.degrees(math.atan2(float(vector @ axes[0]), math.hypot(float(vector @ axes[1]), float(along)))),
        math.degrees(math.atan2(float(vector @ axes[1]), float(along))),
    )
