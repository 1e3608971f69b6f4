"""A camera whose pixels differ: photoelectrons in, digitised wave forms of all gain channels out."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from dpps_simpipe.calibration_runs.description import CalibrationRun
from dpps_simpipe.camera.electronics import analogue_trace, electronics_of
from dpps_simpipe.camera.tables import Camera, Pulses, prepare_camera
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import TelescopeType

__all__ = ["CalibratedCamera", "PixelTruth", "draw_pixels", "random_of"]

#: Keeps the random streams of calibration runs apart from those of observations and runs.
_CALIBRATION_STREAM = 2**30 + 1
#: No pixel is worse than this part of a mean one.
_LEAST_FACTOR = 0.1


def random_of(run: CalibrationRun, tel_id: int, event: int) -> Generator:
    """Give a source of randomness that depends on seed, block, telescope and event alone.

    Parameters
    ----------
    run : CalibrationRun
        What is taken.
    tel_id : int
        Telescope.
    event : int
        Number of the event, from 1.

    Returns
    -------
    Generator
        Counter-based (Philox), seeded through `numpy.random.SeedSequence`.
    """
    key = (_CALIBRATION_STREAM, run.obs_id, tel_id, event)
    return Generator(Philox(SeedSequence(run.seed, spawn_key=key)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelTruth:
    """How each pixel truly is. Shapes (n_pixels,), of the pedestal (n_channels, n_pixels).

    Parameters
    ----------
    gain : array
        Charge of a photoelectron, relative to the instrument model.
    efficiency : array
        For all light, relative to the model.
    pedestal : array
        Counts by which the pedestal differs from the nominal one.
    time_offset : array
        Delay of the signal in ns.
    """

    gain: FloatArray
    efficiency: FloatArray
    pedestal: FloatArray
    time_offset: FloatArray


def draw_pixels(run: CalibrationRun, tel_id: int, kind: TelescopeType) -> PixelTruth:
    """Draw the pixels of a telescope.

    Parameters
    ----------
    run : CalibrationRun
        What is taken.
    tel_id : int
        Telescope.
    kind : TelescopeType
        Its type.

    Returns
    -------
    PixelTruth
        The same for all runs of a seed.
    """
    random = Generator(Philox(SeedSequence(run.seed, spawn_key=(_CALIBRATION_STREAM, tel_id))))
    n_pixels, n_channels = prepare_camera(kind).n_pixels, len(kind.amplitude_counts)
    gain = 1.0 + run.pixels.gain_spread * random.standard_normal(n_pixels)
    efficiency = 1.0 + run.pixels.efficiency_spread * random.standard_normal(n_pixels)
    return PixelTruth(
        gain=np.maximum(gain, _LEAST_FACTOR),
        efficiency=np.maximum(efficiency, _LEAST_FACTOR),
        pedestal=run.pixels.pedestal_spread * random.standard_normal((n_channels, n_pixels)),
        time_offset=run.pixels.time_spread_ns * random.standard_normal(n_pixels),
    )


def _of_channel(pulses: Pulses, channel: int) -> Pulses:
    """Give the pulses of one channel in the place of the first."""
    one = slice(channel, channel + 1)
    return pulses._replace(shape=np.ascontiguousarray(pulses.shape[one]), area=pulses.area[one])


class CalibratedCamera:
    """Turns photoelectrons into wave forms.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.
    pixels : PixelTruth
        Its pixels.
    """

    def __init__(self, kind: TelescopeType, pixels: PixelTruth) -> None:
        self.kind = kind
        self.pixels = pixels
        self.camera: Camera = prepare_camera(kind)
        self._electronics = electronics_of(kind)
        self._dark = np.zeros((1, self.camera.n_samples + 1), dtype=np.float32)
        pulses = self.camera.pulses
        self._before_ns = (pulses.shape.shape[1] - 1) * pulses.step
        self._window_ns = self.camera.n_samples * pulses.sample

    def sky(self, rate: FloatArray, random: Generator) -> tuple[IntArray, FloatArray]:
        """Draw photoelectrons of steady light.

        Parameters
        ----------
        rate : array
            Photoelectrons per ns in each pixel, its efficiency included. Shape (n_pixels,).
        random : Generator
            Source of randomness.

        Returns
        -------
        tuple of array
            Pixels and times in ns after the first sample, also before it as long as pulses last.
        """
        number = random.poisson(rate * (self._window_ns + self._before_ns))
        pixel = np.repeat(np.arange(self.camera.n_pixels), number)
        return pixel, random.random(len(pixel)) * (self._window_ns + self._before_ns) - self._before_ns

    def waveforms(
        self, pixel: IntArray, time: FloatArray, rate: FloatArray, random: Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Digitise all gain channels.

        Parameters
        ----------
        pixel, time : array
            Photoelectrons: pixels, and times in ns after the first sample. Shapes (n,).
        rate : array
            Of the steady light among them, whose mean the coupling of the signal takes out, in
            photoelectrons per ns. Shape (n_pixels,).
        random : Generator
            Source of randomness.

        Returns
        -------
        tuple of array
            Wave forms in photoelectrons of the model per sample, shape (n_channels, n_pixels, n_samples), and
            traces of the trigger in peaks of one photoelectron, shape (n_pixels, n_samples).
        """
        camera, electronics = self.camera, self._electronics
        late = time + self.pixels.time_offset[pixel]
        charges = int(random.integers(2**63))
        found, trigger = [], np.zeros(0)
        for channel in range(len(electronics.least_count)):
            pulses = _of_channel(camera.pulses, channel)
            # The same charges in all channels: their source begins anew.
            trace, _ = analogue_trace(
                pixel, late, 0.0, camera.n_pixels, camera.n_samples, pulses, electronics.charge_sigma,
                self._dark, Generator(Philox(charges)),
            )  # fmt: skip
            baseline = rate * camera.pulses.sample * pulses.area[0]
            trace = (trace - baseline[:, np.newaxis]) * self.pixels.gain[:, np.newaxis]
            trace = trace + electronics.noise[channel] * random.standard_normal(trace.shape)
            if channel == 0:
                trigger = trace
            unit, limit = electronics.least_count[channel], electronics.limit[channel]
            counts = np.floor(
                np.minimum(trace, limit) / unit + self.pixels.pedestal[channel][:, np.newaxis] + 0.5
            )
            found.append(counts * unit / pulses.area[0])
        return np.array(found, dtype=np.float32), trigger
