"""Loops of services: look, work, wait; longer the less there is to do or the less works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

import structlog

from dpps.domain.errors import DppsError

__all__ = ["Interruptions", "Loop", "Pace"]

_NOT_CONNECTED = "not connected yet"
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Pace:
    """A waiting time that doubles with every idle round and is short again after work."""

    shortest_seconds: float
    longest_seconds: float
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = self.shortest_seconds

    def after(self, *, worked: bool) -> float:
        """Return how long to wait now."""
        now = self.shortest_seconds if worked else self.seconds
        self.seconds = min(self.longest_seconds, now * 2)
        return now


class Interruptions(Protocol):
    """Where outages are counted."""

    def note_interruption(self, code: str) -> None:
        """Note that an outage interrupted the work."""
        ...


class Loop[Connection]:
    """Repeats one kind of work, through outages of what it needs.

    Parameters
    ----------
    connect : callable
        Connects with what the work needs; called again after every outage.
    work : callable
        Does what there is to do now; tells whether there was anything.
    pace : Pace
        How long to wait between rounds.
    metrics : Interruptions
        Where outages are counted.
    clock : callable, optional
        Seconds since any moment, which nobody sets.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        work: Callable[[Connection], bool],
        pace: Pace,
        metrics: Interruptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._work = work
        self._pace = pace
        self._metrics = metrics
        self._clock = clock
        self._failing_since: float | None = None
        self._retry = Pace(shortest_seconds=1.0, longest_seconds=60.0)
        self._connection: Connection | None = None
        self.trouble: str | None = _NOT_CONNECTED
        """Why nothing works now, or None. A long round is no trouble, not even the first."""

    def lasting_trouble(self, seconds: float) -> str | None:
        """Return why nothing works, when every round has failed for so long."""
        since = self._failing_since
        return self.trouble if since is not None and self._clock() - since >= seconds else None

    def run(self, stop: Event) -> None:
        """Work until told to stop."""
        while not stop.is_set():
            stop.wait(self.round())

    def round(self) -> float:
        """Work once; return the seconds to wait before the next round."""
        try:
            if self._connection is None:
                self._connection = self._connect()
                if self.trouble == _NOT_CONNECTED:
                    self.trouble = None
            worked = self._work(self._connection)
        except DppsError as error:
            self._connection = None  # it may come back as another
            self.trouble = error.message
            if self._failing_since is None:
                self._failing_since = self._clock()
            self._metrics.note_interruption(error.code)
            wait_seconds = self._retry.after(worked=False)
            facts = {"code": error.code, "next_step": error.next_step, "retry_in_seconds": wait_seconds}
            _log.warning(error.message, **facts)
            return wait_seconds
        self.trouble = self._failing_since = None
        self._retry.after(worked=True)
        return self._pace.after(worked=worked)
