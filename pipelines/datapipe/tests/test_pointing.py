"""The pointing recorded in DL0 headers reaches DL1 and the reconstruction."""

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import tables
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time, TimeDelta
from ctapipe.containers import ArrayEventContainer, TelescopePointingContainer
from ctapipe.core import Component, ToolConfigurationError
from ctapipe.io import EventSource, TableLoader
from ctapipe.monitoring import PointingInterpolator
from dpps_datapipe.pointing import FollowedSky, RecordedPointingSource, recorded_direction, recorded_pointing
from dpps_datapipe.pointing_track import PointingTrack

from .conftest import Processed

#: In degrees.
ARCSEC = 1.0 / 3600.0
FIXED = {"TRACKING": "fixed_horizontal", "ALT_MIN": 69.0, "ALT_MAX": 71.0, "AZ_MEAN": 180.0}


def test_pointing_is_read_from_the_tracking_keywords() -> None:
    assert recorded_pointing(FIXED) == (70.0, 180.0)


@pytest.mark.parametrize("missing", ["TRACKING", "ALT_MIN", "ALT_MAX", "AZ_MEAN"])
def test_incomplete_record_is_no_pointing(missing: str) -> None:
    assert recorded_pointing({key: value for key, value in FIXED.items() if key != missing}) is None


FOLLOWED = {"TRACKING": "fixed_icrs", "ALT_MIN": 69.0, "ALT_MAX": 71.0, "RA_PNT": 83.0, "DEC_PNT": 22.5}


def test_tracking_the_sky_is_no_fixed_pointing() -> None:
    assert recorded_pointing({**FIXED, "TRACKING": "fixed_icrs"}) is None
    assert recorded_direction(FIXED) is None
    assert recorded_direction({**FOLLOWED, "RA_PNT": None}) is None
    assert recorded_direction(FOLLOWED) == (83.0, 22.5)


def test_a_followed_direction_moves_as_the_sky_does() -> None:
    place = EarthLocation.from_geodetic(-17.892 * u.deg, 28.762 * u.deg, 2156 * u.m)
    followed = FollowedSky(83.0 * u.deg, 22.5 * u.deg, place)
    start = Time("2026-01-15T22:00:00")
    # Forwards, far ahead and back again: nodes are made anew where they are missing.
    for seconds in (0.0, 13.7, 631.0, 5000.3, 2.0):
        time = start + TimeDelta(seconds, format="sec")
        truly = SkyCoord(83.0, 22.5, unit="deg").transform_to(AltAz(obstime=time, location=place))
        altitude, azimuth = followed.at(time)
        there = SkyCoord(alt=altitude, az=azimuth, frame=truly.frame.replicate_without_data())
        assert there.separation(truly).arcsec < 0.1


def test_dl1_keeps_the_pointing_of_the_block(processed: Processed) -> None:
    with TableLoader(processed.dl1) as loader:
        (block,) = loader.read_observation_information()
    assert float(block["subarray_pointing_lat"]) == pytest.approx(70.0)
    assert float(block["subarray_pointing_lon"]) == pytest.approx(180.0)


class _Tool(Component):
    """Has an event source, as a tool of ctapipe does."""

    event_source: EventSource


def test_events_get_the_pointing_only_where_they_have_none(processed: Processed) -> None:
    with EventSource(processed.dl1) as events:
        tool = _Tool()
        tool.event_source = events
        source = RecordedPointingSource(subarray=events.subarray, parent=tool)
        event: ArrayEventContainer = next(iter(events))
        first = event.trigger.tels_with_trigger[0]
        event.monitoring.tel[first].pointing.altitude = 60 * u.deg
        source.fill_monitoring_container(event)
        assert event.monitoring.pointing.array_altitude.to_value("deg") == pytest.approx(70.0)
        assert event.monitoring.tel[first].pointing.altitude.to_value("deg") == pytest.approx(60.0)
        for tel_id in event.trigger.tels_with_trigger[1:]:
            assert event.monitoring.tel[tel_id].pointing.altitude.to_value("deg") == pytest.approx(70.0)


def test_source_without_a_tool_is_refused(processed: Processed) -> None:
    with EventSource(processed.dl1) as events, pytest.raises(ToolConfigurationError, match="ctapipe-process"):
        RecordedPointingSource(subarray=events.subarray)


def test_track_of_a_telescope_gives_the_pointing_at_every_event(tmp_path: Path) -> None:
    """Also across north, and for the clock of a telescope that is a little apart."""
    start, random = Time("2026-01-15T22:00:00", scale="tai"), np.random.default_rng(5)
    seconds = np.sort(random.uniform(0.0, 20.0, 60))
    azimuth = 359.97 + 0.004 * seconds
    track = PointingTrack()
    for second, degrees in zip(seconds, azimuth, strict=True):
        event = ArrayEventContainer()
        event.trigger.time = start + TimeDelta(second, format="sec")
        event.monitoring.tel[3].pointing = TelescopePointingContainer(
            altitude=(60.0 + 0.003 * second) * u.deg, azimuth=(degrees % 360.0) * u.deg
        )
        # A telescope without a pointing gets no table.
        assert np.isnan(event.monitoring.tel[4].pointing.altitude)
        track.fill_monitoring_container(event)
    with tables.open_file(tmp_path / "track.h5", "w") as file:
        track.write(file)
        assert [node._v_name for node in file.root["/dl0/monitoring/telescope/pointing"]] == ["tel_003"]
        pointing = PointingInterpolator(h5file=file)
        altitude, turned = pointing(3, start + TimeDelta(seconds + 5e-5, format="sec"))
    assert altitude.to_value("deg") == pytest.approx(60.0 + 0.003 * seconds, abs=ARCSEC / 50)
    assert turned.to_value("deg") % 360.0 == pytest.approx(azimuth % 360.0, abs=ARCSEC / 50)
