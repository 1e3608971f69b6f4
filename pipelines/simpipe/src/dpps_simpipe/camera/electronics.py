"""From photoelectrons to wave forms: pulses, night-sky background, noise, gains, saturation."""

import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from dpps_simpipe.camera.tables import Pulses
from dpps_simpipe.camera.trigger import exceeds
from dpps_simpipe.compiled import FloatArray, IntArray, compiled
from dpps_simpipe.instrument import TelescopeType

__all__ = ["Electronics", "analogue_trace", "electronics_of", "noise_pool", "read_out"]


class Electronics(NamedTuple):
    """Noise and range in units of the peak of one photoelectron.

    Attributes
    ----------
    sky_rate : float
        Night-sky photoelectrons per pixel and ns.
    charge_sigma : float
        Relative width of a photoelectron's charge.
    noise : array
        Electronic noise per sample, by channel. Shape (n_channels,).
    least_count : array
        Size of a count, by channel. Shape (n_channels,).
    limit : array
        Largest signal, by channel. Shape (n_channels,).
    """

    sky_rate: float
    charge_sigma: float
    noise: FloatArray
    least_count: FloatArray
    limit: FloatArray


def electronics_of(kind: TelescopeType) -> Electronics:
    """Take the electronics of a telescope type.

    Parameters
    ----------
    kind : TelescopeType
        Telescope type.

    Returns
    -------
    Electronics
        Its noise and range.
    """
    amplitude = np.array(kind.amplitude_counts)
    return Electronics(
        sky_rate=kind.night_sky_rate_per_ns,
        charge_sigma=kind.single_photoelectron_sigma,
        noise=np.array(kind.noise_counts) / amplitude,
        least_count=1.0 / amplitude,
        limit=kind.range_counts / amplitude,
    )


@compiled
def _add_pulse(trace: FloatArray, start: float, charge: float, pulses: Pulses, channel: int) -> None:
    """Add a pulse that begins at a time (ns from the first sample) to a pixel's trace."""
    shape = pulses.shape[channel]
    duration = (shape.size - 1) * pulses.step
    first = max(math.ceil(start / pulses.sample), 0)
    last = min(int((start + duration) / pulses.sample), trace.size - 1)
    for sample in range(first, last + 1):
        place = (sample * pulses.sample - start) / pulses.step
        index = int(place)
        part = place - index
        if index + 1 < shape.size:
            trace[sample] += charge * (shape[index] * (1.0 - part) + shape[index + 1] * part)


@compiled
def noise_pool(
    n_rows: int, n_samples: int, pulses: Pulses, electronics: Electronics, random: Generator
) -> FloatArray:
    """Simulate pixels that see the night sky alone, for many events to draw from.

    Parameters
    ----------
    n_rows, n_samples : int
        Number of pixels and length.
    pulses : Pulses
        Pulse shapes.
    electronics : Electronics
        Night sky and noise.
    random : Generator
        Source of randomness.

    Returns
    -------
    array
        High-gain traces with night sky and noise, pedestal subtracted. Shape (n_rows, n_samples).
    """
    pool = np.zeros((n_rows, n_samples), dtype=np.float32)
    length = (pulses.shape.shape[1] - 1) * pulses.step
    duration = n_samples * pulses.sample + length
    baseline = electronics.sky_rate * pulses.sample * pulses.area[0]
    for row in range(n_rows):
        for _ in range(random.poisson(electronics.sky_rate * duration)):
            charge = max(1.0 + electronics.charge_sigma * random.standard_normal(), 0.0)
            _add_pulse(pool[row], random.random() * duration - length, charge, pulses, 0)
        for sample in range(n_samples):
            pool[row, sample] += electronics.noise[0] * random.standard_normal() - baseline
    return pool


@compiled
def analogue_trace(
    pixel: IntArray,
    time: FloatArray,
    start: float,
    n_pixels: int,
    n_samples: int,
    pulses: Pulses,
    charge_sigma: float,
    pool: FloatArray,
    random: Generator,
) -> tuple[FloatArray, FloatArray]:
    """Make the high-gain traces of all pixels with night sky and noise, pedestal subtracted.

    Parameters
    ----------
    pixel, time : array
        Photoelectrons and their pixels. Shapes (n,).
    start : float
        Time of the first sample in ns.
    n_pixels, n_samples : int
        Size.
    pulses : Pulses
        Pulse shapes.
    charge_sigma : float
        Relative width of a photoelectron's charge.
    pool : array
        Night sky and noise: each pixel takes a random stretch of it. Shape (n_rows, n), n > n_samples.
    random : Generator
        Source of randomness.

    Returns
    -------
    tuple of array
        Traces in peaks of one photoelectron, shape (n_pixels, n_samples), and charge of each photoelectron.
    """
    trace = np.empty((n_pixels, n_samples), dtype=np.float32)
    spare = pool.shape[1] - n_samples
    for row in range(n_pixels):
        place = random.random() * pool.shape[0]
        source = int(place)
        first = int((place - source) * (spare + 1))
        trace[row] = pool[source, first : first + n_samples]
    charge = np.empty(len(pixel))
    for row in range(len(pixel)):
        charge[row] = max(1.0 + charge_sigma * random.standard_normal(), 0.0)
        _add_pulse(trace[pixel[row]], time[row] - start, charge[row], pulses, 0)
    return trace, charge


@compiled
def read_out(
    trace: FloatArray,
    first: int,
    n_samples: int,
    pixel: IntArray,
    time: FloatArray,
    charge: FloatArray,
    start: float,
    pulses: Pulses,
    electronics: Electronics,
    random: Generator,
) -> tuple[FloatArray, IntArray]:
    """Digitise a window of the traces and choose the gain of each pixel.

    Parameters
    ----------
    trace : array
        High-gain traces. Shape (n_pixels, n).
    first : int
        First sample of the window.
    n_samples : int
        Its length.
    pixel, time, charge : array
        Photoelectrons, for the low gain. Shapes (m,).
    start : float
        Time of the first sample of the trace in ns.
    pulses : Pulses
        Pulse shapes.
    electronics : Electronics
        Noise and range.
    random : Generator
        Source of randomness.

    Returns
    -------
    tuple of array
        Wave forms in photoelectrons per sample, shape (n_pixels, n_samples), and gain channel of each pixel.
    """
    n_pixels = trace.shape[0]
    waveform = np.empty((n_pixels, n_samples), dtype=np.float32)
    channel = np.zeros(n_pixels, dtype=np.int8)
    if pulses.shape.shape[0] > 1:
        for row in range(n_pixels):
            channel[row] = exceeds(trace[row, first : first + n_samples], electronics.limit[0])
    low = _low_gain(channel, n_samples, pixel, time, charge, start + first * pulses.sample, pulses)
    bright = 0
    for row in range(n_pixels):
        gain = int(channel[row])
        signal = trace[row, first : first + n_samples]
        if gain == 1:
            signal = low[bright]
            bright += 1
            for sample in range(n_samples):
                signal[sample] += electronics.noise[1] * random.standard_normal()
        unit, limit, area = electronics.least_count[gain], electronics.limit[gain], pulses.area[gain]
        for sample in range(n_samples):
            counts = np.floor(min(signal[sample], limit) / unit + 0.5)
            waveform[row, sample] = counts * unit / area
    return waveform, channel


@compiled
def _low_gain(
    channel: IntArray,
    n_samples: int,
    pixel: IntArray,
    time: FloatArray,
    charge: FloatArray,
    start: float,
    pulses: Pulses,
) -> FloatArray:
    """Give the low-gain signals, without noise, of the pixels with that gain, in their order."""
    place = np.full(len(channel), -1)
    number = 0
    for row in range(len(channel)):
        if channel[row] == 1:
            place[row] = number
            number += 1
    signal = np.zeros((number, n_samples), dtype=np.float32)
    if number > 0:
        for one in range(len(pixel)):
            if place[pixel[one]] >= 0:
                _add_pulse(signal[place[pixel[one]]], time[one] - start, charge[one], pulses, 1)
    return signal
