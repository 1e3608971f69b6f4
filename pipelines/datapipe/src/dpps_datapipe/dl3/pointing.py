"""Where the array pointed during an observation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import MissingInput
from dpps_datapipe.dl3.clock import Clock
from dpps_datapipe.dl3.intervals import Floats
from dpps_datapipe.dl3.notes import ObservationNotes
from dpps_datapipe.dl3.sky import to_horizon, to_sky

__all__ = ["PointingTrack", "pointing_track"]

_ARRAY_POINTING = "/dl1/monitoring/subarray/pointing"
_TELESCOPE_POINTING = ("/dl1/monitoring/telescope/pointing", "/dl0/monitoring/telescope/pointing")
#: Spacing of the track where the pointing is known by a formula, seconds.
_STEP_S = 10.0
#: A track that moves less than this on the sky follows it.
_FOLLOWS_DEG = 0.1
#: Values of ctapipe's frames.
_ALTAZ, _ICRS = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PointingTrack:
    """Pointing at some times of an observation, at least two. Degrees, shape ``(n,)``."""

    #: Since the reference of the clock.
    seconds: Floats
    ra: Floats
    dec: Floats
    altitude: Floats
    azimuth: Floats

    @property
    def middle(self) -> int:
        """Index in the middle of the track."""
        return len(self.seconds) // 2

    @property
    def follows_sky(self) -> bool:
        """Whether the array followed the sky (else it stood still: a drift)."""
        from astropy.coordinates import SkyCoord

        track = SkyCoord(self.ra, self.dec, unit="deg")
        return bool(track.separation(track[self.middle]).deg.max() < _FOLLOWS_DEG)


def _from_sky(ra: Any, dec: Any, seconds: Floats, clock: Clock, location: Any) -> PointingTrack:
    altitude, azimuth = to_horizon(ra, dec, clock.times(seconds), location)
    shape = np.ones_like(seconds)
    return PointingTrack(seconds=seconds, ra=ra * shape, dec=dec * shape, altitude=altitude, azimuth=azimuth)


def _from_horizon(altitude: Any, azimuth: Any, seconds: Floats, clock: Clock, location: Any) -> PointingTrack:
    shape = np.ones_like(seconds)
    ra, dec = to_sky(altitude * shape, azimuth * shape, clock.times(seconds), location)
    return PointingTrack(seconds=seconds, ra=ra, dec=dec, altitude=altitude * shape, azimuth=azimuth * shape)


def _monitored(path: Path, clock: Clock, location: Any) -> PointingTrack | None:
    """Read the pointing that was monitored: that of the array, else of its first telescope."""
    import tables
    from ctapipe.io import read_table

    with tables.open_file(path) as file:
        if _ARRAY_POINTING in file.root:
            table = read_table(file, _ARRAY_POINTING)
            names = "array_altitude", "array_azimuth"
        else:
            groups = (group for group in _TELESCOPE_POINTING if group in file.root)
            nodes = [node for group in groups for node in file.walk_nodes(group, "Table")]
            if not nodes:
                return None
            table = read_table(file, nodes[0]._v_pathname)
            names = "altitude", "azimuth"
        if len(table) < 2:
            return None
        altitude, azimuth = (table[name].quantity.to_value("deg") for name in names)
        return _from_horizon(altitude, azimuth, clock.seconds(table["time"]), clock, location)


def pointing_track(
    path: Path,
    blocks: Any,
    span: tuple[float, float],
    notes: ObservationNotes,
    *,
    clock: Clock,
    location: Any,
) -> PointingTrack:
    """Find where the array pointed: noted, monitored, or as the observation block says.

    Parameters
    ----------
    path : pathlib.Path
        The events.
    blocks : astropy.table.Table
        Observation block, one row.
    span : tuple of float
        Start and stop of the observation, seconds of the clock.
    notes : ObservationNotes
        A direction given there goes before the others.
    clock : Clock
        Of the event list.
    location : astropy.coordinates.EarthLocation
        Of the array.

    Returns
    -------
    PointingTrack

    Raises
    ------
    MissingInput
        If nothing says where the array pointed.
    """
    n_points = max(2, 1 + int((span[1] - span[0]) / _STEP_S))
    seconds = np.linspace(*span, n_points)
    if notes.pointing is not None:
        return _from_sky(notes.pointing.ra_deg, notes.pointing.dec_deg, seconds, clock, location)
    monitored = _monitored(path, clock, location)
    if monitored is not None:
        return monitored
    latitude = float(blocks["subarray_pointing_lat"].quantity[0].to_value("deg"))
    longitude = float(blocks["subarray_pointing_lon"].quantity[0].to_value("deg"))
    frame = int(blocks["subarray_pointing_frame"][0])
    if np.isfinite([latitude, longitude]).all() and frame == _ALTAZ:
        return _from_horizon(latitude, longitude, seconds, clock, location)
    if np.isfinite([latitude, longitude]).all() and frame == _ICRS:
        return _from_sky(longitude, latitude, seconds, clock, location)
    raise MissingInput(
        "nothing says where the array pointed",
        path=path,
        next_step="note the pointing of the observation (ra_deg, dec_deg)",
    )
