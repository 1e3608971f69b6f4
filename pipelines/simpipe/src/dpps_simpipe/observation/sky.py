"""Between the sky and the horizon of an array, without the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.coordinates.erfa_astrom import ErfaAstromInterpolator, erfa_astrom
from astropy.time import Time, TimeDelta
from astropy.utils import iers

from dpps.domain.errors import InvalidInput
from dpps_simpipe.compiled import FloatArray
from dpps_simpipe.instrument import Array
from dpps_simpipe.observation.description import Direction

__all__ = ["Horizon", "Track", "offset_by"]

#: Between these times the rotation of the Earth is interpolated; the error is far below a milliarcsecond.
_INTERPOLATION_SECONDS = 60.0
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)


def offset_by(direction: Direction, *, angle_deg: float, offset_deg: float) -> Direction:
    """Go from a direction along a great circle.

    Parameters
    ----------
    direction : Direction
        From where.
    angle_deg : float
        Position angle, from North to East.
    offset_deg : float
        How far.

    Returns
    -------
    Direction
        Where one arrives.
    """
    begin = SkyCoord(direction.ra_deg, direction.dec_deg, unit="deg")
    end = begin.directional_offset_by(angle_deg * u.deg, offset_deg * u.deg)
    return Direction(ra_deg=float(end.ra.deg), dec_deg=float(end.dec.deg))


@contextmanager
def _offline(start: datetime) -> Iterator[None]:
    """Use the Earth orientation that is installed with astropy, and fast transformations."""
    with (
        iers.conf.set_temp("auto_download", False),
        erfa_astrom.set(ErfaAstromInterpolator(_INTERPOLATION_SECONDS * u.s)),
    ):
        _check_known(start)
        yield


def _check_known(start: datetime) -> None:
    """Refuse times for which astropy would silently take UT1 for UTC and a mean pole."""
    days = iers.earth_orientation_table.get()["MJD"].to_value(u.d)
    day = (start - _MJD_ZERO) / timedelta(days=1)
    if not days[0] <= day <= days[-1] - 1.0:
        raise InvalidInput(
            f"no orientation of the Earth is known for {start:%Y-%m-%d}",
            code="simpipe.earth-orientation-unknown",
            next_step="Choose another start, or install a newer astropy-iers-data.",
            start=start,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The horizon of an array during a block.

    Parameters
    ----------
    location : EarthLocation
        Reference point of the array.
    start : datetime
        Start of the block in UTC.
    """

    location: EarthLocation
    start: datetime

    @classmethod
    def of(cls, array: Array, start: datetime) -> "Horizon":
        """Take the place of an array.

        Parameters
        ----------
        array : Array
            The array.
        start : datetime
            Start of the block in UTC.

        Returns
        -------
        Horizon
            Its horizon.
        """
        location = EarthLocation(
            lon=array.longitude_deg * u.deg,
            lat=array.latitude_deg * u.deg,
            height=array.observation_level_m * u.m,
        )
        return cls(location=location, start=start)

    def times(self, seconds: FloatArray) -> Time:
        """Give times.

        Parameters
        ----------
        seconds : array
            TAI seconds after the start.

        Returns
        -------
        Time
            In TAI: leap seconds are counted.
        """
        return Time(self.start).tai + TimeDelta(seconds, format="sec", scale="tai")

    def of_sky(self, direction: Direction, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give altitude and azimuth of a place on the sky, without refraction.

        Parameters
        ----------
        direction : Direction
            ICRS.
        seconds : array
            TAI seconds after the start. Shape (n,).

        Returns
        -------
        tuple of array
            Altitude and azimuth (from North to East) in rad. Shapes (n,).

        Raises
        ------
        InvalidInput
            The installed tables do not reach the time.
        """
        if len(seconds) == 0:
            return np.zeros(0), np.zeros(0)
        sky = SkyCoord(direction.ra_deg, direction.dec_deg, unit="deg")
        with _offline(self.start):
            there = sky.transform_to(AltAz(obstime=self.times(seconds), location=self.location))
        return np.asarray(there.alt.rad), np.asarray(there.az.rad)

    def to_sky(
        self, altitude: FloatArray, azimuth: FloatArray, seconds: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Give the places on the sky of horizontal directions; the reverse of `of_sky`.

        Parameters
        ----------
        altitude, azimuth : array
            In rad. Shapes (n,).
        seconds : array
            TAI seconds after the start. Shape (n,).

        Returns
        -------
        tuple of array
            ICRS right ascension and declination in degrees. Shapes (n,).
        """
        if len(seconds) == 0:
            return np.zeros(0), np.zeros(0)
        with _offline(self.start):
            frame = AltAz(obstime=self.times(seconds), location=self.location)
            sky = SkyCoord(alt=altitude * u.rad, az=azimuth * u.rad, frame=frame).icrs
        return np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)

    def track(self, direction: Direction, duration_s: float) -> "Track":
        """Follow a place on the sky.

        Parameters
        ----------
        direction : Direction
            ICRS.
        duration_s : float
            How long.

        Returns
        -------
        Track
            Range of altitude and azimuth.
        """
        altitude, azimuth = self.of_sky(direction, np.linspace(0.0, duration_s, 101))
        azimuth = np.unwrap(azimuth)
        return Track(
            altitude_min_deg=float(np.degrees(altitude.min())),
            altitude_max_deg=float(np.degrees(altitude.max())),
            altitude_mean_deg=float(np.degrees(altitude.mean())),
            azimuth_mean_deg=float(np.degrees(azimuth.mean())) % 360.0,
            azimuth_range_deg=min(float(np.degrees(np.ptp(azimuth))), 360.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Range of a pointing over a block.

    Parameters
    ----------
    altitude_min_deg, altitude_max_deg, altitude_mean_deg : float
        Altitude.
    azimuth_mean_deg, azimuth_range_deg : float
        Azimuth, from North to East.
    """

    altitude_min_deg: float
    altitude_max_deg: float
    altitude_mean_deg: float
    azimuth_mean_deg: float
    azimuth_range_deg: float
