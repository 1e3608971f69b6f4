"""Showers of an observation: numbers, times, directions, dead time."""

from dataclasses import replace
from datetime import UTC, datetime

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, SkyCoord
from dpps_simpipe.instrument import load_array
from dpps_simpipe.observation import thrown
from dpps_simpipe.observation.description import Night
from dpps_simpipe.observation.reading import load_night
from dpps_simpipe.observation.recorded import survivors
from dpps_simpipe.observation.sky import Horizon

from .conftest import NIGHT, Write


@pytest.fixture
def night(write: Write) -> Night:
    return load_night(write(NIGHT))


def _horizon(night: Night) -> Horizon:
    return Horizon.of(load_array(night.array), night.blocks[0].start)


def test_numbers_are_poisson(night: Night) -> None:
    (block,) = night.blocks
    drawn = [thrown.draw(replace(night, seed=seed), block, _horizon(night), 0) for seed in range(60)]
    counts = np.array([np.bincount(one.population, minlength=2) for one in drawn])
    expected = np.array([night.rate_hz(one) * block.duration_s for one in night.populations])
    assert np.all(np.abs(counts.mean(axis=0) - expected) < 4 * np.sqrt(expected / 60))
    assert np.all(np.abs(counts.var(axis=0) / expected - 1) < 4 * np.sqrt(2 / 60))


def test_showers_follow_the_sky(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    long = replace(night, blocks=(replace(night.blocks[0], duration_s=3600.0),))
    (block,) = long.blocks
    monkeypatch.setattr(thrown, "SHOWERS_PER_SLICE", 10**6)
    assert thrown.n_slices(long, block) == 1
    all_showers = thrown.draw(long, block, _horizon(long), 0)
    seconds = all_showers.time / thrown.QUARTERS_PER_SECOND
    assert np.all(np.diff(seconds) >= 0)
    assert np.mean(seconds) == pytest.approx(1800.0, abs=4 * 3600 / np.sqrt(12 * len(seconds)))
    # An independent transformation, one event at a time.
    horizon = _horizon(long)
    crab = SkyCoord(83.6331, 22.0145, unit="deg")
    for index in np.flatnonzero(all_showers.population == 0)[::400]:
        frame = AltAz(obstime=horizon.times(seconds[index]), location=horizon.location)
        there = SkyCoord(
            alt=all_showers.altitude[index] * u.rad, az=all_showers.azimuth[index] * u.rad, frame=frame
        )
        assert there.separation(crab.transform_to(frame)).arcsec < 0.1
    diffuse = all_showers.population == 1
    apart = np.degrees(
        np.arccos(
            np.sin(all_showers.altitude) * np.sin(all_showers.pointing_altitude)
            + np.cos(all_showers.altitude)
            * np.cos(all_showers.pointing_altitude)
            * np.cos(all_showers.azimuth - all_showers.pointing_azimuth)
        )
    )
    assert apart[diffuse].max() <= 2.0 + 1e-6
    # Uniform in the solid angle: the square is uniform between 0 and 4.
    assert np.mean(apart[diffuse] ** 2) == pytest.approx(2.0, abs=4 * 4 / np.sqrt(12 * diffuse.sum()))
    assert np.allclose(apart[~diffuse], 0.5, atol=1e-4)
    assert all_showers.core[~diffuse, 0].max() <= 120.0


def test_leap_seconds_are_counted(night: Night) -> None:
    start = datetime(2016, 12, 31, 23, 59, 50, tzinfo=UTC)
    times = Horizon.of(load_array(night.array), start).times(np.array([0.0, 20.0]))
    assert times.scale == "tai"
    assert times[1].utc.isot == "2017-01-01T00:00:09.000"


def test_dead_time_is_not_prolonged_by_lost_events() -> None:
    assert survivors(np.array([0, 5, 9, 10, 14, 21]), 10).tolist() == [True, False, False, True, False, True]
    assert survivors(np.array([3, 3]), 0).tolist() == [True, True]
    assert survivors(np.array([], dtype=np.int64), 10).tolist() == []
