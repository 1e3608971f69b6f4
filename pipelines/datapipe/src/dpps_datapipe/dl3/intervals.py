"""Good time intervals. Pure functions on seconds since a reference."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["contained", "live_fraction", "subtract", "total_seconds"]

type Span = tuple[float, float]
type Floats = NDArray[np.float64]


def subtract(whole: Span, holes: Iterable[Span]) -> tuple[Span, ...]:
    """Take intervals out of one.

    Parameters
    ----------
    whole : tuple of float
        Start and stop in seconds.
    holes : iterable of tuple of float
        In any order; they may overlap and reach beyond the whole.

    Returns
    -------
    tuple of tuple of float
        What is left, in order, without empty intervals.
    """
    left = []
    start, stop = whole
    for low, high in sorted(holes):
        if low > start:
            left.append((start, min(low, stop)))
        start = max(start, high)
        if start >= stop:
            break
    left.append((start, stop))
    return tuple((low, high) for low, high in left if low < high)


def total_seconds(intervals: Sequence[Span]) -> float:
    """Give the length of all intervals together."""
    return float(sum(high - low for low, high in intervals))


def contained(times: Floats, intervals: Sequence[Span]) -> NDArray[np.bool_]:
    """Say which times are in one of the intervals (start included, stop not).

    Parameters
    ----------
    times : numpy.ndarray
        Seconds, shape ``(n,)``.
    intervals : sequence of tuple of float
        In order, not overlapping.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``.
    """
    if not intervals:
        return np.zeros(len(times), dtype=bool)
    starts = np.array([low for low, _ in intervals])
    stops = np.array([high for _, high in intervals])
    index = np.searchsorted(starts, times, side="right") - 1
    return np.asarray((index >= 0) & (times < stops[np.clip(index, 0, None)]))


def live_fraction(n_events: int, good_seconds: float, per_event_s: float) -> float:
    """Give the part of the good time in which events could be taken.

    For a fixed dead time after each event that is taken (non-paralysable):
    1 - rate x dead time, with the rate of events taken (Knoll, Radiation
    Detection and Measurement, section 4.VII).

    Parameters
    ----------
    n_events : int
        Events taken in the good time, before any selection.
    good_seconds : float
        Good time.
    per_event_s : float
        Dead time after each event.

    Returns
    -------
    float
        Not below 0.
    """
    return max(0.0, 1.0 - n_events / good_seconds * per_event_s) if good_seconds > 0.0 else 0.0
