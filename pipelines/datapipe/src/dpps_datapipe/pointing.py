"""The pointing that the files of an observation record, for ctapipe.

The readers of DL0 streams give events without a pointing, and ctapipe fills the
pointing of single telescopes from monitoring files only. Stereoscopic
reconstruction needs both the pointing of the array and of each telescope. This
plug-in of ``ctapipe-process`` (a monitoring source, chosen in the
configuration) takes it from the tracking keywords of the data-product metadata
in the DL0 file, keeps it in the observation block that ctapipe writes to DL1,
and gives it to every event that has none, when DL1 is made and when it is read.
Where the array followed the sky, every event gets altitude and azimuth of its
time, without refraction.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, SkyCoord
from astropy.coordinates.erfa_astrom import ErfaAstromInterpolator, erfa_astrom
from astropy.time import Time, TimeDelta
from astropy.utils import iers
from ctapipe.containers import (
    ArrayEventContainer,
    CoordinateFrameType,
    ObservationBlockContainer,
    TelescopePointingContainer,
)
from ctapipe.core import ToolConfigurationError
from ctapipe.io import MonitoringSource, MonitoringType

__all__ = ["FollowedSky", "RecordedPointingSource", "recorded_direction", "recorded_pointing"]

_FIXED_HORIZONTAL, _FIXED_ICRS = "fixed_horizontal", "fixed_icrs"
#: Between nodes this far apart the pointing is interpolated; its way is an arc of 0.7 mrad at most, which
#: the chord misses by less than 0.02 arcsec.
_NODE_SECONDS = 10.0
#: Nodes that are computed together.
_NODES = 64


def recorded_pointing(header: Any) -> tuple[float, float] | None:
    """Read a fixed horizontal pointing from the tracking keywords of a header.

    Parameters
    ----------
    header : mapping
        FITS header with the keywords of the observatory's data model.

    Returns
    -------
    tuple of float or None
        Altitude and azimuth in degrees; None where the header records none, or
        the telescopes followed the sky (the pointing is then no constant).
    """
    if str(header.get("TRACKING", "")) != _FIXED_HORIZONTAL:
        return None
    altitudes = header.get("ALT_MIN"), header.get("ALT_MAX")
    azimuth = header.get("AZ_MEAN")
    if None in (*altitudes, azimuth):
        return None
    return (float(altitudes[0]) + float(altitudes[1])) / 2.0, float(azimuth)


def recorded_direction(header: Any) -> tuple[float, float] | None:
    """Read the direction on the sky that an array followed.

    Parameters
    ----------
    header : mapping
        FITS header with the keywords of the observatory's data model.

    Returns
    -------
    tuple of float or None
        ICRS right ascension and declination in degrees; None where the header
        records none.
    """
    ra, dec = header.get("RA_PNT"), header.get("DEC_PNT")
    if str(header.get("TRACKING", "")) != _FIXED_ICRS or ra is None or dec is None:
        return None
    return float(ra), float(dec)


@contextmanager
def _offline() -> Iterator[None]:
    """Use the Earth orientation that is installed with astropy, and fast transformations."""
    with iers.conf.set_temp("auto_download", False), erfa_astrom.set(ErfaAstromInterpolator(60.0 * u.s)):
        yield


class FollowedSky:
    """Altitude and azimuth of a direction on the sky against time.

    Parameters
    ----------
    ra, dec : astropy.units.Quantity
        ICRS direction.
    location : astropy.coordinates.EarthLocation
        Of the array.
    """

    def __init__(self, ra: Any, dec: Any, location: Any) -> None:
        self._sky = SkyCoord(ra, dec)
        self._location = location
        #: TAI seconds since 1970 of the first node, and unit vectors of the nodes.
        self._first = math.nan
        self._nodes = np.zeros((0, 3))

    def at(self, time: Any) -> tuple[Any, Any]:
        """Give the pointing at a time.

        Parameters
        ----------
        time : astropy.time.Time
            One time.

        Returns
        -------
        tuple of astropy.units.Quantity
            Altitude and azimuth.
        """
        seconds = float(time.unix_tai)
        if not 0.0 <= (place := (seconds - self._first) / _NODE_SECONDS) < len(self._nodes) - 1:
            self._compute(seconds)
            place = (seconds - self._first) / _NODE_SECONDS
        node = int(place)
        x, y, z = self._nodes[node] + (place - node) * (self._nodes[node + 1] - self._nodes[node])
        return math.atan2(z, math.hypot(x, y)) * u.rad, math.atan2(y, x) % (2 * math.pi) * u.rad

    def _compute(self, seconds: float) -> None:
        """Compute nodes from a time on."""
        times = Time(seconds, format="unix_tai") + TimeDelta(
            np.arange(_NODES) * _NODE_SECONDS, format="sec", scale="tai"
        )
        with _offline():
            there = self._sky.transform_to(AltAz(obstime=times, location=self._location))
        self._first = seconds
        self._nodes = np.asarray(there.cartesian.xyz.T)


class RecordedPointingSource(MonitoringSource):
    """Fills the pointing where an event has none; leaves every other event alone."""

    def __init__(self, subarray: Any = None, parent: Any = None, **kwargs: Any) -> None:
        """Complete the observation blocks of the tool's event source.

        Parameters
        ----------
        subarray : ctapipe.instrument.SubarrayDescription
            The telescopes.
        parent : ctapipe.core.Tool
            The tool, which has opened its event source.
        **kwargs
            Handed on to ctapipe.

        Raises
        ------
        ctapipe.core.ToolConfigurationError
            If the tool has no event source.
        """
        super().__init__(subarray=subarray, parent=parent, **kwargs)
        source = getattr(parent, "event_source", None)
        if source is None:
            raise ToolConfigurationError(
                "RecordedPointingSource works inside a tool that reads events: "
                "use it in the configuration of ctapipe-process"
            )
        self._blocks: dict[int, ObservationBlockContainer] = source.observation_blocks
        self._followed: dict[int, FollowedSky] = {}
        if not source.is_simulation:
            self._complete_blocks(source.input_url)

    @property
    def monitoring_types(self) -> tuple[MonitoringType, ...]:
        """Kinds of monitoring data that this source gives."""
        return (MonitoringType.TELESCOPE_POINTINGS,)

    def get_table(self, monitoring_type: MonitoringType, tel_id: int | None = None, **kwargs: Any) -> Any:
        """Refuse: there is no table behind a recorded pointing.

        Raises
        ------
        KeyError
            Always.
        """
        raise KeyError(f"no table of {monitoring_type} in the headers of an observation")

    def get_values(
        self,
        monitoring_type: MonitoringType,
        time: Any,
        tel_id: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Refuse: the pointing belongs to an observation block, not to a time.

        Raises
        ------
        KeyError
            Always.
        """
        raise KeyError(f"no values of {monitoring_type} at a time in the headers")

    def fill_monitoring_container(self, event: ArrayEventContainer) -> None:
        """Give the pointing of its observation block to an event without one.

        Parameters
        ----------
        event : ctapipe.containers.ArrayEventContainer
            The event, changed in place.
        """
        pointing = self._pointing(event)
        if pointing is None:
            return
        altitude, azimuth = pointing
        array = event.monitoring.pointing
        if np.isnan(array.array_altitude):
            array.array_altitude = altitude.to(u.rad)
            array.array_azimuth = azimuth.to(u.rad)
        for tel_id in event.trigger.tels_with_trigger:
            telescope = event.monitoring.tel[tel_id]
            if np.isnan(telescope.pointing.altitude):
                # Parallel pointing: what holds for the array holds for each.
                telescope.pointing = TelescopePointingContainer(
                    altitude=altitude.to(u.rad), azimuth=azimuth.to(u.rad)
                )

    def _pointing(self, event: ArrayEventContainer) -> tuple[Any, Any] | None:
        """Give altitude and azimuth at the time of an event, where its block knows them."""
        block = self._blocks.get(event.index.obs_id)
        if block is None or not _has_pointing(block):
            return None
        if block.subarray_pointing_frame == CoordinateFrameType.ALTAZ:
            return block.subarray_pointing_lat, block.subarray_pointing_lon
        if event.index.obs_id not in self._followed:
            self._followed[event.index.obs_id] = FollowedSky(
                block.subarray_pointing_lon, block.subarray_pointing_lat, self.subarray.reference_location
            )
        return self._followed[event.index.obs_id].at(event.trigger.time)

    def _complete_blocks(self, path: Any) -> None:
        """Put the pointing of a zfits file in the blocks that have none."""
        missing = [block for block in self._blocks.values() if not _has_pointing(block)]
        if not missing or not str(path).endswith(".fits.fz"):
            return
        from astropy.io import fits

        header = fits.getheader(path)
        frame = CoordinateFrameType.ALTAZ
        latitude_longitude = recorded_pointing(header)
        sky = recorded_direction(header)
        if sky is not None:
            frame, latitude_longitude = CoordinateFrameType.ICRS, (sky[1], sky[0])
        if latitude_longitude is None:
            self.log.warning("%s records no pointing: no stereoscopic reconstruction", path)
            return
        for block in missing:
            block.subarray_pointing_lat = latitude_longitude[0] * u.deg
            block.subarray_pointing_lon = latitude_longitude[1] * u.deg
            block.subarray_pointing_frame = frame


def _has_pointing(block: ObservationBlockContainer) -> bool:
    """Tell whether a block records where the array pointed."""
    known = block.subarray_pointing_frame in (CoordinateFrameType.ALTAZ, CoordinateFrameType.ICRS)
    return known and not bool(np.isnan(block.subarray_pointing_lat))
