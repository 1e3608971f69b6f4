"""The events of a block that are recorded: slices put together, dead time applied, numbers given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpps_simpipe.compiled import IntArray
from dpps_simpipe.observation.slices import PART_COLUMNS, Slice, read_raw, read_slice
from dpps_simpipe.observation.thrown import QUARTERS_PER_SECOND
from dpps_simpipe.streams import ArrayTrigger, RawEvent

__all__ = ["Recorded", "put_together", "survivors"]

#: Part of the thrown radius beyond which a triggered core says that the radius was too small.
_OUTER_PART = 0.9


def survivors(time: IntArray, dead_time: int) -> NDArray[np.bool_]:
    """Tell which events a system with a constant, non-paralysable dead time records.

    An event is lost if the last *recorded* one is less than the dead time before it; lost events do not
    prolong the dead time (W.R. Leo, Techniques for Nuclear and Particle Physics Experiments, 5.7).

    Parameters
    ----------
    time : array
        Times in order.
    dead_time : int
        In the same unit.

    Returns
    -------
    array
        True for recorded events.
    """
    kept = np.zeros(len(time), dtype=bool)
    last = None
    for index, now in enumerate(time.tolist()):
        if last is None or now - last >= dead_time:
            kept[index] = True
            last = now
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The events of a block; wave forms stay on disk.

    Parameters
    ----------
    paths : tuple of Path
        Slices.
    events : array
        Truth of recorded events in order of time: event n has the number n + 1. Shape (n,).
    true_pe : array
        Cherenkov photoelectrons in every telescope of the array. Shape (n, n_telescopes).
    parts : array
        Telescopes that were read out, in order of events: columns event, tel_id, time, row, slice.
    thrown, triggered : array
        Showers by population.
    outer : array
        Triggered showers with their core in the outer tenth of the thrown radius, by population.
    """

    paths: tuple[Path, ...]
    events: NDArray[Any]
    true_pe: IntArray
    parts: NDArray[Any]
    thrown: IntArray
    triggered: IntArray
    outer: IntArray

    def triggers(self) -> list[ArrayTrigger]:
        """Give the array triggers."""
        telescopes: list[dict[int, int]] = [{} for _ in self.events]
        for part in self.parts:
            telescopes[part["event"]][int(part["tel_id"])] = int(part["time"])
        return [
            ArrayTrigger(
                event_id=index + 1, quarter_nanoseconds=int(event["time"]), telescopes=telescopes[index]
            )
            for index, event in enumerate(self.events)
        ]

    def count(self, tel_id: int) -> int:
        """Give the number of events of a telescope."""
        return int(np.count_nonzero(self.parts["tel_id"] == tel_id))

    def raw_events(self, tel_id: int, begin: int, end: int) -> Iterator[RawEvent]:
        """Read the events of a telescope one by one.

        Parameters
        ----------
        tel_id : int
            Telescope.
        begin, end : int
            Range of its events.

        Yields
        ------
        RawEvent
            In order.
        """
        parts = self.parts[self.parts["tel_id"] == tel_id][begin:end]
        for index in np.unique(parts["slice"]):
            its = parts[parts["slice"] == index]
            stored = read_raw(self.paths[index], tel_id, its["row"])
            for part, (status, waveform) in zip(its, stored, strict=True):
                yield RawEvent(
                    event_id=int(part["event"]) + 1,
                    quarter_nanoseconds=int(part["time"]),
                    pixel_status=status,
                    waveform=waveform,
                )


def _parts_of(slices: Sequence[Slice], kept: NDArray[np.bool_]) -> NDArray[Any]:
    """Put the telescopes' parts of recorded events together, with the numbers of the block."""
    number = np.cumsum(kept) - 1
    columns = [*PART_COLUMNS.descr, ("slice", "i4")]
    found, first = [], 0
    for index, one in enumerate(slices):
        event = one.parts["event"] + first
        chosen = kept[event]
        rows = np.zeros(int(chosen.sum()), dtype=columns)
        for name in one.parts.dtype.names or ():
            rows[name] = one.parts[name][chosen]
        rows["event"], rows["slice"] = number[event[chosen]], index
        found.append(rows)
        first += len(one.events)
    return np.concatenate(found)


def put_together(paths: Sequence[Path], *, dead_time_s: float, core_radius_m: Sequence[float]) -> Recorded:
    """Put the slices of a block together.

    Parameters
    ----------
    paths : sequence of Path
        Slices in order.
    dead_time_s : float
        After each recorded event.
    core_radius_m : sequence of float
        Of the populations.

    Returns
    -------
    Recorded
        The block.
    """
    slices = tuple(read_slice(path) for path in paths)
    events = np.concatenate([one.events for one in slices])
    true_pe = np.concatenate([one.true_pe for one in slices])
    kept = survivors(events["time"], round(dead_time_s * QUARTERS_PER_SECOND))
    radius = np.asarray(core_radius_m)
    population = events["population"]
    far = events["core_distance"] > radius[population] * _OUTER_PART
    return Recorded(
        paths=tuple(paths),
        events=events[kept],
        true_pe=true_pe[kept],
        parts=_parts_of(slices, kept),
        thrown=np.sum([one.thrown for one in slices], axis=0),
        triggered=np.bincount(population, minlength=len(radius)),
        outer=np.bincount(population[far], minlength=len(radius)),
    )
