"""One observation as its event list tells it: times, pointing, live time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import InsufficientStatistics, MissingInput
from dpps_datapipe.dl3.clock import Clock
from dpps_datapipe.dl3.events import EventTable, Observed
from dpps_datapipe.dl3.intervals import Floats, contained, live_fraction, subtract, total_seconds
from dpps_datapipe.dl3.notes import ObservationNotes
from dpps_datapipe.dl3.pointing import PointingTrack, pointing_track
from dpps_datapipe.dl3.sky import SITES, to_sky

__all__ = ["Observation", "observe"]

#: An observatory is not where a description without a place puts it.
_NOWHERE_DEG = 0.01
_DISTANCE_TO_SITE_M = 50_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What an event list holds."""

    obs_id: int
    sb_id: int | None
    site: str | None
    #: `astropy.coordinates.EarthLocation`
    location: Any
    telescopes: tuple[int, ...]
    clock: Clock
    #: Start and stop, seconds of the clock.
    span: tuple[float, float]
    good_intervals: tuple[tuple[float, float], ...]
    #: Part of the good time in which events could be taken.
    live_fraction: float
    #: Nothing told the dead time: it is taken as none.
    dead_time_assumed: bool
    pointing: PointingTrack
    events: EventTable
    #: Of the events.
    seconds: Floats
    ra: Floats
    dec: Floats
    simulated: bool
    notes: ObservationNotes

    @property
    def good_seconds(self) -> float:
        """Length of the good time."""
        return total_seconds(self.good_intervals)


def _place(observed: Observed, notes: ObservationNotes) -> tuple[str | None, Any]:
    """Find where the array stands.

    Raises
    ------
    MissingInput
        If neither the events nor the notes say.
    """
    from astropy import units as u
    from astropy.coordinates import EarthLocation

    def at(name: str) -> Any:
        longitude, latitude, height = SITES[name]
        return EarthLocation.from_geodetic(longitude * u.deg, latitude * u.deg, height * u.m)

    if notes.site is not None:
        return notes.site, at(notes.site)
    location = observed.location
    nowhere = location is None or (
        abs(location.lat.deg) < _NOWHERE_DEG and abs(location.lon.deg) < _NOWHERE_DEG
    )
    if nowhere:
        raise MissingInput(
            "the events do not say where the array stands",
            path=observed.path,
            next_step="note the site (CTAO-North or CTAO-South)",
        )
    for name in SITES:
        place = at(name)
        apart = np.hypot(np.hypot(location.x - place.x, location.y - place.y), location.z - place.z)
        if apart.to_value(u.m) < _DISTANCE_TO_SITE_M:
            return name, location
    return None, location


def _times(observed: Observed, notes: ObservationNotes, clock: Clock) -> Floats:
    """Give the times of all events in seconds of the clock.

    Raises
    ------
    MissingInput
        If the events have no times that mean anything.
    """
    number = len(observed.table)
    if notes.simulated is not None:
        start = clock.seconds_of(notes.simulated.start)
        return np.asarray(start + (np.arange(number) + 0.5) / notes.simulated.rate_hz)
    if observed.simulated and not notes.simulated_observation:
        raise MissingInput(
            "simulated events have no times of an observation",
            path=observed.path,
            next_step="note simulated: {start, rate_hz}, or simulated_observation: true if they have a clock",
        )
    seconds = clock.seconds(observed.times)
    if not np.isfinite(seconds).all() or (number > 1 and np.ptp(seconds) == 0.0):
        raise MissingInput(
            "the events have no usable times (all equal, or none)",
            path=observed.path,
            next_step="note simulated: {start, rate_hz}",
        )
    return seconds


def _span(observed: Observed, seconds: Floats, notes: ObservationNotes, clock: Clock) -> tuple[float, float]:
    """Start and stop: noted, as the observation block says, else of the first and last event."""
    # The last event is part of the observation, whose stop is not.
    start, stop = float(seconds.min()), float(np.nextafter(seconds.max(), np.inf))
    names = observed.blocks.colnames
    if notes.simulated is None and "actual_start_time" in names and "actual_duration" in names:
        begin = float(clock.seconds(observed.blocks["actual_start_time"])[0])
        duration = float(observed.blocks["actual_duration"].quantity.to_value("s")[0])
        # A block that does not cover its events was never filled in.
        if np.isfinite([begin, duration]).all() and begin <= start and begin + duration >= stop:
            start, stop = begin, begin + duration
    if notes.start is not None:
        start = clock.seconds_of(notes.start)
    if notes.stop is not None:
        stop = clock.seconds_of(notes.stop)
    return start, stop


def _live(notes: ObservationNotes, n_events: int, good_seconds: float) -> float:
    if notes.dead_time is None:
        return 1.0
    if notes.dead_time.fraction is not None:
        return 1.0 - notes.dead_time.fraction
    return live_fraction(n_events, good_seconds, notes.dead_time.per_event_s or 0.0)


def observe(observed: Observed, events: EventTable, notes: ObservationNotes, clock: Clock) -> Observation:
    """Put together what the event list of an observation holds.

    Parameters
    ----------
    observed : Observed
        All events of the observation block.
    events : EventTable
        Those that pass the event selection.
    notes : ObservationNotes
        What the events do not say.
    clock : Clock
        Of the event list.

    Returns
    -------
    Observation
        With the selected events of the good time intervals.

    Raises
    ------
    MissingInput
        If times, site or pointing are not known.
    InsufficientStatistics
        If no good time, or no event, is left.
    """
    site, location = _place(observed, notes)
    every = _times(observed, notes, clock)
    by_id = dict(zip((int(i) for i in observed.table["event_id"]), every, strict=True))
    span = _span(observed, every, notes, clock)
    holes = [
        (clock.seconds_of(hole.start), clock.seconds_of(hole.stop))
        for hole in (*notes.pauses, *notes.bad_intervals)
    ]
    good = subtract(span, holes)
    if not good:
        raise InsufficientStatistics(
            "pauses and data-quality selection leave no good time",
            path=observed.path,
            next_step="look at the noted intervals",
        )
    seconds = np.array([by_id[int(identifier)] for identifier in events.event_id])
    inside = contained(seconds, good)
    if not inside.any():
        raise InsufficientStatistics(
            f"none of {len(events)} selected events is in the good time",
            path=observed.path,
            next_step="look at the noted intervals",
        )
    order = np.flatnonzero(inside)[np.argsort(seconds[inside], kind="stable")]
    events, seconds = events.kept(order), seconds[order]
    ra, dec = to_sky(events.altitude, events.azimuth, clock.times(seconds), location)
    live = _live(notes, int(contained(every, good).sum()), total_seconds(good))
    if live <= 0.0:
        raise InsufficientStatistics("the dead time leaves no live time", path=observed.path)
    block = observed.blocks
    return Observation(
        obs_id=observed.obs_id,
        sb_id=int(block["sb_id"][0]) if "sb_id" in block.colnames else None,
        site=site,
        location=location,
        telescopes=observed.telescopes,
        clock=clock,
        span=span,
        good_intervals=good,
        live_fraction=live,
        dead_time_assumed=notes.dead_time is None,
        pointing=pointing_track(Path(observed.path), block, span, notes, clock=clock, location=location),
        events=events,
        seconds=seconds,
        ra=ra,
        dec=dec,
        simulated=observed.simulated or notes.simulated_observation,
        notes=notes,
    )
