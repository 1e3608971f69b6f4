"""From the horizon to the sky, without the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dpps_datapipe.dl3.intervals import Floats

__all__ = ["SITES", "field_angle_deg", "to_horizon", "to_sky"]

#: Longitude (east positive) and latitude in degrees, altitude in metres of the array sites.
SITES = {
    "CTAO-North": (-17.892005, 28.762164, 2147.0),
    "CTAO-South": (-70.316345, -24.683429, 2162.0),
}
#: Between these the rotation of the Earth is interpolated; the error is far below a milliarcsecond.
_INTERPOLATION_SECONDS = 60.0


@contextmanager
def _offline() -> Iterator[None]:
    """Use the Earth orientation that is installed with astropy, and fast transformations."""
    from astropy import units as u
    from astropy.coordinates.erfa_astrom import ErfaAstromInterpolator, erfa_astrom
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        erfa_astrom.set(ErfaAstromInterpolator(_INTERPOLATION_SECONDS * u.s)),
    ):
        yield


def to_sky(altitude: Floats, azimuth: Floats, times: Any, location: Any) -> tuple[Floats, Floats]:
    """Give the ICRS directions of horizontal ones, without refraction.

    Parameters
    ----------
    altitude, azimuth : numpy.ndarray
        Degrees; azimuth from north towards east.
    times : astropy.time.Time
        Of the directions.
    location : astropy.coordinates.EarthLocation
        Of the array.

    Returns
    -------
    tuple of numpy.ndarray
        Right ascension and declination in degrees.
    """
    from astropy.coordinates import AltAz, SkyCoord

    with _offline():
        frame = AltAz(obstime=times, location=location)
        sky = SkyCoord(alt=altitude, az=azimuth, unit="deg", frame=frame).icrs
    return np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)


def to_horizon(ra: Floats | float, dec: Floats | float, times: Any, location: Any) -> tuple[Floats, Floats]:
    """Give altitude and azimuth in degrees of ICRS directions; the reverse of `to_sky`."""
    from astropy.coordinates import AltAz, SkyCoord

    with _offline():
        horizontal = SkyCoord(ra, dec, unit="deg").transform_to(AltAz(obstime=times, location=location))
    return np.asarray(horizontal.alt.deg), np.asarray(horizontal.az.deg)


def field_angle_deg(
    zenith: float, azimuth: float, field_declination: float, field_inclination: float
) -> float:
    """Give the angle between a pointing and the magnetic field of the Earth.

    The field bends the particles of a shower; responses at one zenith angle differ
    with this angle.

    Parameters
    ----------
    zenith, azimuth : float
        Of the pointing, degrees; azimuth from north towards east.
    field_declination, field_inclination : float
        Of the field, degrees; declination from north towards east, inclination
        downwards.

    Returns
    -------
    float
        Degrees, 0 to 180.
    """

    def vector(altitude: float, direction: float) -> Floats:
        up, along = np.radians(altitude), np.radians(direction)
        return np.array([np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)])

    cosine = vector(90.0 - zenith, azimuth) @ vector(-field_inclination, field_declination)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
