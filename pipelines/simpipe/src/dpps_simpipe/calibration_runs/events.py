"""Events of a calibration run, one by one, with what they truly are."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from ctapipe.containers import EventType, PixelStatus
from numpy.random import Generator

from dpps_simpipe.calibration_runs.description import CalibrationRun, FlatField, Muons, Stars
from dpps_simpipe.calibration_runs.muons import MuonLight, draw_muon
from dpps_simpipe.calibration_runs.stars import StarField, StarPlace
from dpps_simpipe.calibration_runs.traces import CalibratedCamera, draw_pixels, random_of
from dpps_simpipe.camera.optics import pointing_axes
from dpps_simpipe.camera.trigger import majority_trigger, sum_trigger
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import Array
from dpps_simpipe.observation.cameras import camera_stream
from dpps_simpipe.observation.sky import Horizon
from dpps_simpipe.observation.thrown import QUARTERS_PER_SECOND
from dpps_simpipe.streams import RawEvent

__all__ = ["TelescopeRun", "one_telescope"]

_EVENT_TYPES = {
    "pedestal": EventType.SKY_PEDESTAL,
    "flat-field": EventType.FLATFIELD,
    "muon": EventType.MUON,
    "stars": EventType.SKY_PEDESTAL,
}
#: A star field is traced anew after this time, in which the sky turns by less than a tenth of a pixel.
_TRACE_SECONDS = 10.0
#: Streams of a telescope that belong to no event: stars, times of muons.
_STARS, _TIMES = 2**31, 2**31 + 1


def one_telescope(array: Array, tel_id: int) -> Array:
    """Give an array of one telescope that triggers alone.

    Parameters
    ----------
    array : Array
        Array.
    tel_id : int
        Its telescope.

    Returns
    -------
    Array
        The same site with this telescope.
    """
    telescopes = tuple(one for one in array.telescopes if one.tel_id == tel_id)
    return replace(array, telescopes=telescopes, least_telescopes=1, lst_stereo=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Light:
    """Photoelectrons of an event beside the steady light, and their truth."""

    pixel: IntArray
    time: FloatArray
    truth: dict[str, float]


_NO_LIGHT = _Light(pixel=np.zeros(0, dtype=np.int64), time=np.zeros(0), truth={})


class TelescopeRun:
    """A calibration run of one telescope.

    Parameters
    ----------
    run : CalibrationRun
        What is taken.
    tel_id : int
        Telescope.
    """

    def __init__(self, run: CalibrationRun, tel_id: int) -> None:
        self.run = run
        self.array = one_telescope(run.load_array(), tel_id)
        self.telescope = self.array.telescopes[0]
        kind = self.telescope.kind
        self.pixels = draw_pixels(run, tel_id, kind)
        self.camera = CalibratedCamera(kind, self.pixels)
        self.stream = camera_stream(self.telescope)
        #: Truth of the recorded events, filled while they are made.
        self.truth: list[dict[str, float]] = []
        self._sky_rate = run.night_sky * kind.night_sky_rate_per_ns * self.pixels.efficiency
        self._axes = pointing_axes(math.radians(run.altitude_deg), math.radians(run.azimuth_deg))
        #: Light is drawn for the best pixel and lost in the others.
        self._most = float(self.pixels.efficiency.max())
        self._muons = (
            MuonLight(self.array, run.light.throughput * self._most) if isinstance(run.light, Muons) else None
        )
        self._field = (
            StarField(run.light, Horizon.of(self.array, run.start), kind)
            if isinstance(run.light, Stars)
            else None
        )
        self._traced = (-1, self._sky_rate)

    def stars(self, seconds: float = 0.0) -> list[StarPlace]:
        """Give the places of the stars.

        Parameters
        ----------
        seconds : float
            Time after the start.

        Returns
        -------
        list of StarPlace
            Empty where the run has none.
        """
        if self._field is None:
            return []
        step = int(seconds / _TRACE_SECONDS)
        return self._field.at(seconds, random_of(self.run, self.telescope.tel_id, _STARS + 2 + step))

    def steady_rate(self, seconds: float = 0.0) -> FloatArray:
        """Give the steady light of each pixel.

        Parameters
        ----------
        seconds : float
            Time after the start.

        Returns
        -------
        array
            Photoelectrons per ns, the pixels' efficiency included. Shape (n_pixels,).
        """
        step = int(seconds / _TRACE_SECONDS)
        if self._traced[0] != step:
            rate = self._sky_rate.copy()
            for star in self.stars((step + 0.5) * _TRACE_SECONDS):
                rate = rate + star.rate * self.pixels.efficiency
            self._traced = (step, rate)
        return self._traced[1]

    def _times(self) -> IntArray:
        """Give the times of the triggers in quarters of ns after the start."""
        number = self.run.events
        if self.run.kind == "muon":
            random = random_of(self.run, self.telescope.tel_id, _TIMES)
            seconds = np.sort(random.random(number)) * self.run.duration_s
        else:
            seconds = np.arange(number) / self.run.rate_hz
        return np.round(seconds * QUARTERS_PER_SECOND).astype(np.int64)

    def events(self) -> Iterator[RawEvent]:
        """Make the events that are recorded.

        Yields
        ------
        RawEvent
            In order of time.
        """
        self.truth.clear()
        n_channels = self.stream.n_channels
        stored = PixelStatus.HIGH_GAIN_STORED | PixelStatus.DVR_0
        stored |= PixelStatus.LOW_GAIN_STORED if n_channels > 1 else 0
        status = np.full(self.stream.n_pixels, stored, dtype=np.uint8)
        for number, time in enumerate(self._times().tolist(), start=1):
            random = random_of(self.run, self.telescope.tel_id, number)
            waveform = self._one(time / QUARTERS_PER_SECOND, random)
            if waveform is None:
                continue
            self.truth[-1] |= {"event_id": len(self.truth), "time": time / QUARTERS_PER_SECOND}
            yield RawEvent(
                event_id=len(self.truth),
                quarter_nanoseconds=time,
                pixel_status=status,
                waveform=self.stream.encode(waveform if n_channels > 1 else waveform[0]),
                event_type=_EVENT_TYPES[self.run.kind].value,
            )

    def _one(self, seconds: float, random: Generator) -> FloatArray | None:
        """Make one event; None where a muon does not trigger the camera."""
        light = self._light(random)
        rate = self.steady_rate(seconds)
        pixel, time = self.camera.sky(rate, random)
        waveform, trace = self.camera.waveforms(
            np.concatenate([pixel, light.pixel]), np.concatenate([time, light.time]), rate, random
        )
        if self.run.kind == "muon" and not self._triggers(trace):
            return None
        self.truth.append(dict(light.truth))
        return waveform

    def _triggers(self, trace: FloatArray) -> bool:
        kind, camera = self.telescope.kind, self.camera.camera
        find = majority_trigger if kind.trigger == "majority" else sum_trigger
        traces = trace.astype(np.float32)
        return find(traces, camera.group_start, camera.group_pixels, kind.trigger_threshold_pe) >= 0

    def _light(self, random: Generator) -> _Light:
        if isinstance(self.run.light, FlatField):
            return self._flash(self.run.light, random)
        if isinstance(self.run.light, Muons) and self._muons is not None:
            return self._ring(self.run.light, self._muons, random)
        return _NO_LIGHT

    def _flash(self, flash: FlatField, random: Generator) -> _Light:
        """Let a flash light all pixels."""
        strength = max(flash.light_pe * (1.0 + flash.flash_spread * random.standard_normal()), 0.0)
        number = random.poisson(strength * self.pixels.efficiency)
        pixel = np.repeat(np.arange(len(number)), number)
        centre = self.telescope.kind.readout_before_trigger_ns
        time = centre + flash.width_ns * random.standard_normal(len(pixel))
        return _Light(pixel=pixel, time=time, truth={"light": strength, "true_pe": float(len(pixel))})

    def _ring(self, muons: Muons, light: MuonLight, random: Generator) -> _Light:
        """Let a muon pass."""
        muon = draw_muon(muons, self.run.altitude_deg, self.run.azimuth_deg, random)
        pixel, time = light.image(muon, self._axes, random)
        kept = random.random(len(pixel)) < self.pixels.efficiency[pixel] / self._most
        pixel, time = pixel[kept], time[kept]
        begin = float(np.median(time)) if len(time) else 0.0
        level = self.array.observation_level_m + self.telescope.position_m[2]
        return _Light(
            pixel=pixel,
            time=time - begin + self.telescope.kind.readout_before_trigger_ns,
            truth={
                "true_energy": muon.energy_tev,
                "impact": muon.impact_m,
                "impact_angle": math.degrees(muon.impact_angle),
                "true_alt": math.degrees(muon.altitude),
                "true_az": math.degrees(muon.azimuth),
                "ring_radius": math.degrees(float(light.angle(muon.energy_tev, np.array([level]))[0])),
                "true_pe": float(len(pixel)),
            },
        )
