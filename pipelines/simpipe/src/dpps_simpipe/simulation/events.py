"""Array events of a run: showers, cameras and triggers put together."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from dpps_simpipe.atmosphere import Atmosphere
from dpps_simpipe.camera.electronics import analogue_trace, electronics_of, noise_pool, read_out
from dpps_simpipe.camera.optics import imaged, pointing_axes
from dpps_simpipe.camera.tables import prepare_camera
from dpps_simpipe.camera.trigger import array_trigger, majority_trigger, may_trigger, sum_trigger
from dpps_simpipe.compiled import FloatArray, IntArray
from dpps_simpipe.instrument import Array, TelescopeType
from dpps_simpipe.showers import PRIMARIES, Buffers, Shower, make_world, simulate_shower
from dpps_simpipe.showers.constants import SPEED_OF_LIGHT
from dpps_simpipe.simulation.description import Run
from dpps_simpipe.simulation.kinematics import Kinematics, draw_kinematics, random_of_shower
from dpps_simpipe.simulation.light import LightYields, make_targets

__all__ = ["ArrayEvent", "Simulator", "TelescopeEvent", "ThrownShower", "tenth_percentile"]

#: Showers of more energy (TeV) are thinned: their particles below the roulette energy carry a weight.
UNTHINNED_TEV = 1.0
#: Extra time in ns before and after the read-out window in which the trigger is looked for.
SEARCH_TIME = 30.0
#: Night-sky pool of a telescope type: pixels, samples more than a trace, and key of its random stream.
POOL_ROWS, POOL_SPARE, NOISE_STREAM = 4000, 200, 2**31
#: A camera is not digitised unless a trigger group has this part of the needed photoelectrons (night sky and
#: noise add to a signal, but telescopes that they trigger alone are not simulated).
LEAST_PART = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeEvent:
    """What one telescope recorded.

    Parameters
    ----------
    tel_id : int
        Telescope.
    true_image : array
        Cherenkov photoelectrons per pixel. Shape (n_pixels,).
    waveform : array
        Photoelectrons per sample, pedestal subtracted. Shape (n_pixels, n_samples).
    gain_channel : array
        Chosen gain channel per pixel. Shape (n_pixels,).
    trigger_time : float
        Time of the trigger in ns after the shower front's passage through the core.
    """

    tel_id: int
    true_image: IntArray
    waveform: FloatArray
    gain_channel: IntArray
    trigger_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrownShower:
    """Truth of a shower, triggered or not.

    Parameters
    ----------
    number : int
        Number in the run.
    kinematics : Kinematics
        Energy, direction, cores.
    shower : Shower
        Development and light.
    """

    number: int
    kinematics: Kinematics
    shower: Shower


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayEvent:
    """A triggered event.

    Parameters
    ----------
    thrown : ThrownShower
        The shower.
    core : int
        Which of its cores.
    telescopes : tuple of TelescopeEvent
        Triggered telescopes.
    true_sums : mapping of int to int
        Cherenkov photoelectrons of every telescope.
    """

    thrown: ThrownShower
    core: int
    telescopes: tuple[TelescopeEvent, ...]
    true_sums: dict[int, int]

    @property
    def event_id(self) -> int:
        """Number of the event: shower (from 1) times 100 plus the core."""
        return (self.thrown.number + 1) * 100 + self.core


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """Photoelectrons with their pixels and times (ns), and their number per pixel."""

    pixel: IntArray
    time: FloatArray
    counts: IntArray


def tenth_percentile(time: FloatArray) -> float:
    """Give the tenth percentile as `numpy.percentile` does, in a tenth of the time.

    Parameters
    ----------
    time : array
        Times. Shape (n,), n > 0.

    Returns
    -------
    float
        Percentile, interpolated linearly.
    """
    place = 0.1 * (len(time) - 1)
    low = int(place)
    high = min(low + 1, len(time) - 1)
    part = place - low
    ordered = np.partition(time, (low, high))
    before, after = float(ordered[low]), float(ordered[high])
    return after - (after - before) * (1 - part) if part >= 0.5 else before + (after - before) * part


class Simulator:
    """Simulates the showers of a run, one by one, in any order.

    Parameters
    ----------
    run : Run
        What to simulate.
    array : Array or None
        Telescopes; None: those that the run names.
    atmosphere : Atmosphere or None
        Profile; None: that which the run names.
    """

    def __init__(self, run: Run, *, array: Array | None = None, atmosphere: Atmosphere | None = None) -> None:
        self.run = run
        self.array: Array = array or run.load_array()
        self.atmosphere = atmosphere or run.load_atmosphere()
        self.axes = pointing_axes(math.radians(run.altitude_deg), math.radians(run.azimuth_deg))
        self._yields = LightYields(self.array, self.atmosphere, with_dispersion=run.dispersion)
        anywhere = make_targets(self.array, self._yields.at(1.0), np.zeros((1, 2)))
        self._world = make_world(self.atmosphere.tables(), anywhere, field=self.array.field)
        self._buffers = Buffers()
        self._pools: dict[str, FloatArray] = {}

    def throw(self, number: int, random: Generator) -> ThrownShower:
        """Simulate the shower of a number, without cameras.

        Parameters
        ----------
        number : int
            Number of the shower in the run.
        random : Generator
            Its source of randomness, see `random_of_shower`.

        Returns
        -------
        ThrownShower
            Truth and photoelectrons.
        """
        kinematics = draw_kinematics(self.run, random)
        return ThrownShower(number=number, kinematics=kinematics, shower=self.develop(kinematics, random))

    def point(self, altitude: float, azimuth: float) -> None:
        """Point all telescopes, until the next call, elsewhere than the run says.

        Parameters
        ----------
        altitude, azimuth : float
            Direction in rad; azimuth from North to East.
        """
        self.axes = pointing_axes(altitude, azimuth)

    def develop(
        self,
        kinematics: Kinematics,
        random: Generator,
        *,
        primary: str = "",
        first_interaction: float | None = None,
    ) -> Shower:
        """Simulate a shower of given energy, direction and cores.

        Parameters
        ----------
        kinematics : Kinematics
            How it comes.
        random : Generator
            Source of randomness.
        primary : str
            Kind of primary; empty: that of the run.
        first_interaction : float or None
            Altitude in m above sea level at which the primary interacts first; None: drawn.

        Returns
        -------
        Shower
            Development and photoelectrons; spheres: for each core all telescopes.
        """
        direction = kinematics.direction
        targets = make_targets(self.array, self._yields.at(-direction[2]), kinematics.cores)
        world = self._world._replace(
            targets=targets, roulette_weight=max(kinematics.energy_tev / UNTHINNED_TEV, 1.0)
        )
        return simulate_shower(
            PRIMARIES[primary or self.run.primary],
            kinematics.energy_tev * 1e6,
            direction,
            world,
            random,
            self._buffers,
            first_interaction,
        )

    def events(self, numbers: range) -> Iterator[tuple[ThrownShower, list[ArrayEvent]]]:
        """Simulate showers with cameras and triggers.

        Parameters
        ----------
        numbers : range
            Numbers of the showers.

        Yields
        ------
        tuple
            Each shower and the events that it triggered.
        """
        for number in numbers:
            random = random_of_shower(self.run, number)
            thrown = self.throw(number, random)
            found = (self.observe(thrown, core, random) for core in range(self.run.reuse))
            yield thrown, [event for event in found if event is not None]

    def photons(self, thrown: ThrownShower, core: int) -> list[FloatArray]:
        """Divide photoelectrons by telescope.

        Parameters
        ----------
        thrown : ThrownShower
            The shower.
        core : int
            Which of its cores.

        Returns
        -------
        list of array
            For each telescope of the array its photons, columns `dpps_simpipe.showers.PHOTON_COLUMNS`.
        """
        count = len(self.array.telescopes)
        shower = thrown.shower
        borders = np.searchsorted(shower.target, np.arange(core * count, core * count + count + 1))
        return [shower.photons[borders[i] : borders[i + 1]] for i in range(count)]

    def observe(self, thrown: ThrownShower, core: int, random: Generator) -> ArrayEvent | None:
        """Let the telescopes see a shower at one of its cores.

        Parameters
        ----------
        thrown : ThrownShower
            The shower.
        core : int
            Which core.
        random : Generator
            Source of randomness.

        Returns
        -------
        ArrayEvent or None
            The event if the array triggered.
        """
        sums: dict[int, int] = {}
        images: dict[int, _Image] = {}
        seen: dict[int, TelescopeEvent] = {}
        times: dict[int, float] = {}
        for telescope, photons in zip(self.array.telescopes, self.photons(thrown, core), strict=True):
            image, sums[telescope.tel_id] = self._image(telescope.kind, photons, random)
            if image is not None:
                images[telescope.tel_id] = image
        if len(images) < self.array.least_telescopes:
            return None
        for telescope in self.array.telescopes:
            if telescope.tel_id not in images:
                continue
            event = self._digitise(telescope.tel_id, telescope.kind, images[telescope.tel_id], random)
            if event is not None:
                place = np.append(thrown.kinematics.cores[core], 0.0) - telescope.position_m
                seen[telescope.tel_id] = event
                times[telescope.tel_id] = event.trigger_time - float(place @ self.axes[2]) / SPEED_OF_LIGHT
        chosen = array_trigger(self.array, times)
        if not chosen:
            return None
        return ArrayEvent(
            thrown=thrown, core=core, telescopes=tuple(seen[tel_id] for tel_id in chosen), true_sums=sums
        )

    def _pool(self, kind: TelescopeType, n_trace: int) -> FloatArray:
        """Give the night-sky pool of a telescope type: the same for all workers of a run."""
        if kind.name not in self._pools:
            position = [one.name for one in self.array.kinds].index(kind.name)
            seed = SeedSequence(self.run.seed, spawn_key=(self.run.run, NOISE_STREAM, position))
            self._pools[kind.name] = noise_pool(
                POOL_ROWS, n_trace + POOL_SPARE, prepare_camera(kind).pulses, electronics_of(kind),
                Generator(Philox(seed)),
            )  # fmt: skip
        return self._pools[kind.name]

    def _image(
        self, kind: TelescopeType, photons: FloatArray, random: Generator
    ) -> tuple[_Image | None, int]:
        """Bring light to pixels; give the image if it may trigger, and its photoelectrons."""
        pixels_needed = 3 if kind.trigger == "majority" else 1
        least = LEAST_PART * kind.trigger_threshold_pe * pixels_needed
        if len(photons) < least:
            return None, len(photons)
        camera = prepare_camera(kind)
        pixel, time = imaged(photons, self.axes, camera.optics, camera.raster, random)
        pixel, time = pixel[pixel >= 0], time[pixel >= 0]
        counts = np.bincount(pixel, minlength=camera.n_pixels).astype(np.int32)
        if not may_trigger(counts, camera.group_start, camera.group_pixels, least):
            return None, len(pixel)
        return _Image(pixel=pixel, time=time, counts=counts), len(pixel)

    def _digitise(
        self, tel_id: int, kind: TelescopeType, image: _Image, random: Generator
    ) -> TelescopeEvent | None:
        """Trigger and read out one telescope."""
        camera = prepare_camera(kind)
        pixel, time = image.pixel, image.time
        electronics = electronics_of(kind)
        sample = camera.pulses.sample
        start = tenth_percentile(time) - kind.readout_before_trigger_ns - SEARCH_TIME
        n_trace = camera.n_samples + math.ceil(2 * SEARCH_TIME / sample)
        trace, charge = analogue_trace(
            pixel, time, start, camera.n_pixels, n_trace, camera.pulses, electronics.charge_sigma,
            self._pool(kind, n_trace), random,
        )  # fmt: skip
        find = majority_trigger if kind.trigger == "majority" else sum_trigger
        at = find(trace, camera.group_start, camera.group_pixels, kind.trigger_threshold_pe)
        if at < 0:
            return None
        first = at - round(kind.readout_before_trigger_ns / sample)
        first = min(max(first, 0), n_trace - camera.n_samples)
        waveform, channel = read_out(
            trace, first, camera.n_samples, pixel, time, charge, start, camera.pulses, electronics, random
        )
        return TelescopeEvent(
            tel_id=tel_id,
            true_image=image.counts,
            waveform=waveform,
            gain_channel=channel,
            trigger_time=start + at * sample,
        )
