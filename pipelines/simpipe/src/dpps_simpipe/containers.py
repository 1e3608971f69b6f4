"""Simulated events in ctapipe's containers."""

import math
from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.time import Time, TimeDelta
from ctapipe.atmosphere import TableAtmosphereDensityProfile
from ctapipe.containers import (
    ArrayEventContainer,
    ArrayPointingContainer,
    CameraCalibrationContainer,
    CoordinateFrameType,
    EventIndexContainer,
    EventType,
    ObservationBlockContainer,
    ObservationBlockState,
    ObservingMode,
    PixelStatus,
    PointingMode,
    R1CameraContainer,
    SchedulingBlockContainer,
    SchedulingBlockType,
    SimulatedCameraContainer,
    SimulatedEventContainer,
    SimulatedShowerContainer,
    SimulatedShowerDistribution,
    SimulationConfigContainer,
    TelescopeImpactParameterContainer,
    TelescopePointingContainer,
    TelescopeTriggerContainer,
    TriggerContainer,
)
from ctapipe.coordinates import shower_impact_distance
from ctapipe.instrument import SubarrayDescription

from dpps_simpipe.atmosphere import Atmosphere
from dpps_simpipe.compiled import IntArray
from dpps_simpipe.instrument import Array
from dpps_simpipe.showers import PRIMARIES
from dpps_simpipe.simulation.description import Run
from dpps_simpipe.simulation.events import ArrayEvent, ThrownShower

__all__ = [
    "ShowerCounts",
    "array_event",
    "density_profile",
    "observation_block",
    "scheduling_block",
    "simulation_config",
]

#: Events of a simulation have no real clock: shower n of every run comes n milliseconds after this.
FIRST_TIME = Time("2026-01-01T00:00:00", scale="tai")
SPACING_SECONDS = 1e-3
#: Bins of the table of thrown showers.
CORE_BINS, ENERGY_BINS_PER_DECADE = 50, 20
#: Marks simulation programs in ctapipe's terms; 1 is CORSIKA, 2 is sim_telarray there.
PROGRAM_ID = 1000


class ShowerCounts:
    """Counts thrown showers by energy and core distance, as sim_telarray does.

    Parameters
    ----------
    run : Run
        What is simulated.
    """

    def __init__(self, run: Run) -> None:
        low, high = run.energy_min_tev * 0.999, run.energy_max_tev * 1.001
        bins = max(1, math.ceil(math.log10(high / low) * ENERGY_BINS_PER_DECADE))
        self._energy = np.geomspace(low, high, bins + 1)
        self._core = np.linspace(0.0, run.core_radius_m, CORE_BINS + 1)
        self._counts = np.zeros((bins, CORE_BINS))

    def add(self, thrown: ThrownShower) -> None:
        """Count all uses of a shower.

        Parameters
        ----------
        thrown : ThrownShower
            The shower.
        """
        x, y, _ = thrown.kinematics.direction
        cores = thrown.kinematics.cores
        along = cores[:, 0] * x + cores[:, 1] * y
        distance = np.sqrt(np.maximum((cores**2).sum(axis=1) - along**2, 0.0))
        row = int(np.searchsorted(self._energy, thrown.kinematics.energy_tev, side="right")) - 1
        columns = np.searchsorted(self._core, distance, side="right") - 1
        np.add.at(self._counts[row], np.minimum(columns, CORE_BINS - 1), 1)

    def distribution(self, obs_id: int) -> SimulatedShowerDistribution:
        """Give the table.

        Parameters
        ----------
        obs_id : int
            Block that was counted.

        Returns
        -------
        SimulatedShowerDistribution
            Histogram, energy first.
        """
        return SimulatedShowerDistribution(
            obs_id=obs_id,
            hist_id=6,
            n_entries=int(self._counts.sum()),
            bins_core_dist=self._core * u.m,
            bins_energy=self._energy * u.TeV,
            histogram=self._counts,
        )


def simulation_config(run: Run, array: Array, n_showers: int) -> SimulationConfigContainer:
    """Describe the simulation of a block.

    Parameters
    ----------
    run : Run
        What is simulated.
    array : Array
        Where.
    n_showers : int
        Showers of the block.

    Returns
    -------
    SimulationConfigContainer
        ctapipe's description.
    """
    altitude, azimuth = math.radians(run.altitude_deg + run.offset_deg), math.radians(run.azimuth_deg)
    return SimulationConfigContainer(
        run_number=run.run,
        energy_range_min=run.energy_min_tev * u.TeV,
        energy_range_max=run.energy_max_tev * u.TeV,
        prod_site_B_total=array.field_total_uT * u.uT,
        prod_site_B_declination=array.field_declination_rad * u.rad,
        prod_site_B_inclination=array.field_inclination_rad * u.rad,
        prod_site_alt=array.observation_level_m * u.m,
        spectral_index=run.spectral_index,
        shower_prog_id=PROGRAM_ID,
        detector_prog_id=PROGRAM_ID,
        n_showers=n_showers,
        shower_reuse=run.reuse,
        max_alt=altitude * u.rad,
        min_alt=altitude * u.rad,
        max_az=azimuth * u.rad,
        min_az=azimuth * u.rad,
        diffuse=run.view_cone_deg > 0,
        max_viewcone_radius=run.view_cone_deg * u.deg,
        min_viewcone_radius=0.0 * u.deg,
        max_scatter_range=run.core_radius_m * u.m,
        min_scatter_range=run.core_min_m * u.m,
        core_pos_mode=1,
        corsika_bunchsize=1.0,
        corsika_wlen_min=240.0 * u.nm,
        corsika_wlen_max=1000.0 * u.nm,
    )


def scheduling_block(obs_id: int) -> SchedulingBlockContainer:
    """Give a block of simulated showers the form of a scheduling block.

    Parameters
    ----------
    obs_id : int
        Observation id.

    Returns
    -------
    SchedulingBlockContainer
        Block with the same number.
    """
    return SchedulingBlockContainer(
        sb_id=np.uint64(obs_id),
        sb_type=SchedulingBlockType.OBSERVATION,
        producer_id="simulation",
        observing_mode=ObservingMode.UNKNOWN,
        pointing_mode=PointingMode.DRIFT,
    )


def observation_block(run: Run, obs_id: int) -> ObservationBlockContainer:
    """Give a block of simulated showers the form of an observation block.

    Parameters
    ----------
    run : Run
        What is simulated.
    obs_id : int
        Observation id.

    Returns
    -------
    ObservationBlockContainer
        Block with the pointing of the run.
    """
    return ObservationBlockContainer(
        obs_id=np.uint64(obs_id),
        sb_id=np.uint64(obs_id),
        producer_id="simulation",
        state=ObservationBlockState.COMPLETED_SUCCEDED,
        subarray_pointing_lat=run.altitude_deg * u.deg,
        subarray_pointing_lon=run.azimuth_deg * u.deg,
        subarray_pointing_frame=CoordinateFrameType.ALTAZ,
        scheduled_start_time=FIRST_TIME,
        actual_start_time=FIRST_TIME,
    )


def density_profile(atmosphere: Atmosphere) -> TableAtmosphereDensityProfile:
    """Give the atmosphere in ctapipe's form.

    Parameters
    ----------
    atmosphere : Atmosphere
        Profile.

    Returns
    -------
    TableAtmosphereDensityProfile
        The same.
    """
    table = QTable(
        {
            "height": atmosphere.altitude * u.m,
            "density": atmosphere.density * u.g / u.cm**3,
            "column_density": atmosphere.thickness * u.g / u.cm**2,
        }
    )
    return TableAtmosphereDensityProfile(table=table)


def array_event(
    event: ArrayEvent, run: Run, subarray: SubarrayDescription, obs_id: int, count: int
) -> ArrayEventContainer:
    """Put a triggered event in containers.

    Parameters
    ----------
    event : ArrayEvent
        Simulated event.
    run : Run
        What is simulated.
    subarray : SubarrayDescription
        The array.
    obs_id : int
        Block.
    count : int
        Events before this one.

    Returns
    -------
    ArrayEventContainer
        With R1 wave forms, truth, trigger and pointing.
    """
    shower = _shower(event, run)
    data = ArrayEventContainer(
        simulation=SimulatedEventContainer(shower=shower),
        index=EventIndexContainer(obs_id=obs_id, event_id=event.event_id),
        count=count,
        trigger=_trigger(event),
    )
    data.meta["origin"] = "dpps-simpipe"
    altitude, azimuth = run.altitude_deg * u.deg, run.azimuth_deg * u.deg
    data.monitoring.pointing = ArrayPointingContainer(
        array_altitude=altitude.to(u.rad), array_azimuth=azimuth.to(u.rad)
    )
    distances = shower_impact_distance(shower_geom=shower, subarray=subarray)
    for telescope in event.telescopes:
        tel_id = telescope.tel_id
        data.simulation.tel[tel_id] = SimulatedCameraContainer(
            true_image_sum=int(telescope.true_image.sum()),
            true_image=telescope.true_image,
            impact=TelescopeImpactParameterContainer(
                distance=distances[subarray.tel_index_array[tel_id]],
                distance_uncert=0 * u.m,
                prefix="true_impact",
            ),
        )
        data.monitoring.tel[tel_id].pointing = TelescopePointingContainer(
            altitude=altitude.to(u.rad), azimuth=azimuth.to(u.rad)
        )
        n_channels = subarray.tel[tel_id].camera.readout.n_channels
        no_outlier = np.zeros((n_channels, len(telescope.true_image)), dtype=bool)
        coefficients = CameraCalibrationContainer(outlier_mask=no_outlier)
        data.monitoring.tel[tel_id].camera.coefficients = coefficients
        data.r1.tel[tel_id] = R1CameraContainer(
            event_type=EventType.SUBARRAY,
            event_time=data.trigger.tel[tel_id].time,
            waveform=telescope.waveform[np.newaxis],
            selected_gain_channel=telescope.gain_channel,
            pixel_status=_pixel_status(telescope.gain_channel),
        )
    return data


def _shower(event: ArrayEvent, run: Run) -> SimulatedShowerContainer:
    """Give the truth of the shower at the event's core."""
    kinematics = event.thrown.kinematics
    core_x, core_y = kinematics.cores[event.core]
    return SimulatedShowerContainer(
        energy=kinematics.energy_tev * u.TeV,
        alt=(kinematics.altitude * u.rad).to(u.deg),
        az=(kinematics.azimuth * u.rad).to(u.deg),
        core_x=core_x * u.m,
        core_y=core_y * u.m,
        h_first_int=event.thrown.shower.first_interaction * u.m,
        x_max=event.thrown.shower.depth_of_maximum * u.g / u.cm**2,
        starting_grammage=0.0 * u.g / u.cm**2,
        shower_primary_id=PRIMARIES[run.primary].code,
    )


def _trigger(event: ArrayEvent) -> TriggerContainer:
    """Give trigger times on the simulation's clock."""
    front = FIRST_TIME + TimeDelta(event.thrown.number * SPACING_SECONDS, format="sec")
    times: Mapping[int, Time] = {
        one.tel_id: front + TimeDelta(one.trigger_time * 1e-9, format="sec") for one in event.telescopes
    }
    trigger = TriggerContainer(
        event_type=EventType.SUBARRAY,
        time=front,
        tels_with_trigger=np.array(list(times), dtype=np.int16),
    )
    for tel_id, time in times.items():
        trigger.tel[tel_id] = TelescopeTriggerContainer(time=time, event_type=EventType.SUBARRAY)
    return trigger


def _pixel_status(gain_channel: IntArray) -> IntArray:
    """Say which gain is stored."""
    return np.where(
        gain_channel == 0, np.uint8(PixelStatus.HIGH_GAIN_STORED), np.uint8(PixelStatus.LOW_GAIN_STORED)
    ).astype(np.uint8)
