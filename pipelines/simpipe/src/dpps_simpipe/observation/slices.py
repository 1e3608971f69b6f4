"""Simulated slices of a block, kept on disk until the block is complete."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tables
from ctapipe.containers import PixelStatus
from numpy.typing import NDArray

from dpps_simpipe.compiled import IntArray
from dpps_simpipe.durable import put_in_place
from dpps_simpipe.observation.cameras import camera_stream
from dpps_simpipe.observation.description import Block, Night
from dpps_simpipe.observation.sky import Horizon
from dpps_simpipe.observation.thrown import Thrown, draw, random_of
from dpps_simpipe.simulation.description import Run
from dpps_simpipe.simulation.events import ArrayEvent, Simulator, ThrownShower
from dpps_simpipe.streams import CameraStream

__all__ = ["EVENT_COLUMNS", "PART_COLUMNS", "Slice", "make_slice", "read_raw", "read_slice"]

_QUARTERS_PER_NS = 4
_FILTERS = tables.Filters(complevel=1, complib="blosc:zstd", shuffle=True)
#: Of the truth; angles in rad, lengths in m, depth in g/cm². `time`: quarters of ns after the start.
EVENT_COLUMNS = np.dtype(
    [
        ("time", "i8"),
        ("population", "i4"),
        ("energy_tev", "f8"),
        ("altitude", "f8"),
        ("azimuth", "f8"),
        ("core_x", "f8"),
        ("core_y", "f8"),
        ("core_distance", "f8"),
        ("first_interaction", "f8"),
        ("depth_of_maximum", "f8"),
    ]
)
#: A telescope's part in an event: index of the event, telescope, time as above, row of its wave forms.
PART_COLUMNS = np.dtype([("event", "i8"), ("tel_id", "i4"), ("time", "i8"), ("row", "i8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A slice on disk, without its wave forms.

    Parameters
    ----------
    events : array
        Triggered events, see `EVENT_COLUMNS`. Shape (n,).
    parts : array
        Telescopes that were read out: columns event, tel_id, time, row. Shape (m,).
    true_pe : array
        Cherenkov photoelectrons in every telescope of the array. Shape (n, n_telescopes).
    thrown : array
        Showers thrown, by population.
    path : Path
        The file.
    """

    events: NDArray[Any]
    parts: NDArray[Any]
    true_pe: IntArray
    thrown: IntArray
    path: Path


def _group(tel_id: int) -> str:
    return f"tel_{tel_id:03d}"


@lru_cache(maxsize=1)
def _simulator(seed: int, array: str, model: str, model_sha256: str, atmosphere: str) -> Simulator:
    """Make the simulator once per process; what it gives depends on its arguments only."""
    run = Run(
        run=1,
        seed=seed,
        primary="gamma",
        showers=1,
        energy_min_tev=1.0,
        energy_max_tev=1.0,
        array=array,
        model=model,
        model_sha256=model_sha256,
        atmosphere=atmosphere,
    )
    return Simulator(run)


def make_slice(night: Night, block: Block, number: int, target: Path) -> None:
    """Simulate a slice into a file that appears when it is complete.

    Parameters
    ----------
    night : Night
        What is observed.
    block : Block
        One of its blocks.
    number : int
        Slice, counted from 0.
    target : Path
        File to write.
    """
    sha256 = night.load_array().model_sha256
    simulator = _simulator(night.seed, night.array, night.model, sha256, night.atmosphere)
    thrown = draw(night, block, Horizon.of(simulator.array, block.start), number)
    unfinished = target.with_name(f"unfinished_{target.name}")
    with tables.open_file(unfinished, "w", filters=_FILTERS) as file:
        _SliceWriter(file, night).write(thrown, _events(simulator, night, block, number, thrown))
    put_in_place(unfinished, target)


def _events(
    simulator: Simulator, night: Night, block: Block, number: int, thrown: Thrown
) -> Iterator[tuple[int, ArrayEvent]]:
    """Simulate showers; give those that trigger, with their index."""
    for index in range(len(thrown)):
        random = random_of(night, block, number, index)
        kinematics = thrown.kinematics(index)
        simulator.point(float(thrown.pointing_altitude[index]), float(thrown.pointing_azimuth[index]))
        primary = night.populations[thrown.population[index]].primary
        shower = simulator.develop(kinematics, random, primary=primary)
        event = simulator.observe(ThrownShower(number=index, kinematics=kinematics, shower=shower), 0, random)
        if event is not None:
            yield index, event


class _SliceWriter:
    """Puts the events of a slice in an open file, one by one."""

    def __init__(self, file: Any, night: Night) -> None:
        self._file = file
        self._night = night
        self._telescopes = night.load_array().telescopes
        self._cameras = {one.tel_id: camera_stream(one) for one in self._telescopes}

    def _arrays(self, tel_id: int) -> Any:
        """Give the group of a telescope's wave forms."""
        name = _group(tel_id)
        if name not in self._file.root:
            camera = self._cameras[tel_id]
            group = self._file.create_group("/", name)
            samples = (camera.n_pixels, camera.n_samples)
            self._file.create_earray(
                group, "waveform", tables.UInt16Atom(), (0, *samples), chunkshape=(1, *samples)
            )
            self._file.create_earray(
                group, "status", tables.UInt8Atom(), (0, camera.n_pixels), chunkshape=(64, camera.n_pixels)
            )
        return self._file.root._f_get_child(name)

    def write(self, thrown: Thrown, events: Iterator[tuple[int, ArrayEvent]]) -> None:
        """Write events and what was thrown."""
        rows: list[tuple[float, ...]] = []
        parts: list[tuple[int, int, int, int]] = []
        sums: list[list[int]] = []
        for index, event in events:
            time = int(thrown.time[index])
            parts += [self._part(len(rows), time, one) for one in event.telescopes]
            sums.append([event.true_sums[one.tel_id] for one in self._telescopes])
            rows.append(_row(thrown, index, event))
        counts = np.bincount(thrown.population, minlength=len(self._night.populations))
        self._file.create_table("/", "events", np.array(rows, dtype=EVENT_COLUMNS))
        self._file.create_table("/", "parts", np.array(parts, dtype=PART_COLUMNS))
        true_pe = np.array(sums, dtype=np.int64).reshape(len(rows), len(self._telescopes))
        stored = self._file.create_earray("/", "true_pe", tables.Int64Atom(), (0, len(self._telescopes)))
        stored.append(true_pe)
        self._file.create_array("/", "thrown", counts.astype(np.int64))

    def _part(self, event: int, time: int, telescope: Any) -> tuple[int, int, int, int]:
        """Store what one telescope recorded."""
        camera: CameraStream = self._cameras[telescope.tel_id]
        arrays = self._arrays(telescope.tel_id)
        arrays.waveform.append(camera.encode(telescope.waveform)[np.newaxis])
        arrays.status.append(_status(telescope.gain_channel)[np.newaxis])
        at = time + round(telescope.trigger_time * _QUARTERS_PER_NS)
        return event, telescope.tel_id, at, len(arrays.waveform) - 1


def _row(thrown: Thrown, index: int, event: ArrayEvent) -> tuple[float, ...]:
    """Give the truth of an event in the order of `EVENT_COLUMNS`."""
    kinematics, shower = event.thrown.kinematics, event.thrown.shower
    return (
        int(thrown.time[index]),
        int(thrown.population[index]),
        kinematics.energy_tev,
        kinematics.altitude,
        kinematics.azimuth,
        *map(float, kinematics.cores[0]),
        float(thrown.core[index, 0]),
        shower.first_interaction,
        shower.depth_of_maximum,
    )


def _status(gain_channel: IntArray) -> NDArray[np.uint8]:
    """Say that all pixels are stored, and in which gain."""
    stored = np.where(gain_channel == 0, PixelStatus.HIGH_GAIN_STORED, PixelStatus.LOW_GAIN_STORED)
    return np.asarray(stored | PixelStatus.DVR_0, dtype=np.uint8)


def read_slice(path: Path) -> Slice:
    """Read a slice, without its wave forms.

    Parameters
    ----------
    path : Path
        What `make_slice` wrote.

    Returns
    -------
    Slice
        Its tables.
    """
    with tables.open_file(path) as file:
        root = file.root
        return Slice(
            events=root.events[:],
            parts=root.parts[:],
            true_pe=root.true_pe[:],
            thrown=root.thrown[:],
            path=path,
        )


def read_raw(
    path: Path, tel_id: int, rows: IntArray
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint16]]]:
    """Read what a telescope stored, one by one.

    Parameters
    ----------
    path : Path
        What `make_slice` wrote.
    tel_id : int
        Telescope.
    rows : array
        See `Slice.parts`.

    Yields
    ------
    tuple of array
        Pixel status, shape (n_pixels,), and samples, shape (n_pixels, n_samples).
    """
    with tables.open_file(path) as file:
        group = file.root._f_get_child(_group(tel_id))
        for row in rows.tolist():
            yield group.status[row], group.waveform[row]
