"""One stock daemon in a loop of its own: woken by work, paced, counted, and never silently dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge, Histogram

__all__ = ["DaemonLoop", "Pace", "Pass"]

_FAILURES_TO_UNHEALTHY = 3
_LONGEST_PASS_SECONDS = 900.0

type Pass = Callable[[], object]
"""One pass of a daemon over the work that waits."""

_PASSES = Counter("dpps_rucio_daemon_passes", "Passes completed", ["daemon"])
_FAILURES = Counter("dpps_rucio_daemon_failures", "Passes that raised an error", ["daemon"])
_SECONDS = Histogram(
    "dpps_rucio_daemon_pass_seconds", "Duration of passes", ["daemon"], buckets=(0.05, 0.2, 1, 5, 20, 60, 300)
)
_LAST = Gauge("dpps_rucio_daemon_last_pass_timestamp_seconds", "When the last pass ended", ["daemon"])

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How soon a daemon looks again: soon while there is news, later when the same work keeps waiting."""

    quickest_seconds: float = 0.3
    slowest_seconds: float = 2.0
    growth: float = 1.5
    idle_seconds: float = 120.0
    """A pass without any sign of work, in case the sign was missed."""
    failing_seconds: float = 30.0

    def pause_seconds(self, passes: int) -> float:
        """Return the pause after so many passes in a row that found work."""
        return min(self.slowest_seconds, self.quickest_seconds * self.growth ** min(passes, 64))

    def failure_seconds(self, failures: int) -> float:
        """Return the pause after so many failures in a row."""
        return min(self.failing_seconds, 2.0 ** min(failures, 64) / 2)


class DaemonLoop(threading.Thread):
    """Runs one daemon's passes until told to stop.

    Parameters
    ----------
    name : str
        Name of the daemon, as Rucio calls it.
    prepare : callable
        Called once in the thread; returns the pass.
    pace : Pace
        How soon to look again.
    stop : threading.Event
        Set when the process ends.
    """

    def __init__(self, name: str, prepare: Callable[[], Pass], pace: Pace, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._prepare = prepare
        self._pace = pace
        self._stop_all = stop
        self._work = threading.Event()
        self._pass: Pass | None = None
        self._failures = 0
        self._last_error = ""
        self._pass_started: float | None = None

    def wake(self) -> None:
        """Tell the daemon that work waits."""
        self._work.set()

    def complaint(self) -> str | None:
        """Return what is wrong with this daemon, or None."""
        if not self.is_alive():
            return f"{self.name} is not running"
        if self._failures >= _FAILURES_TO_UNHEALTHY:
            return f"{self.name} failed {self._failures} times in a row: {self._last_error}"
        started = self._pass_started
        if started is not None and time.monotonic() - started > _LONGEST_PASS_SECONDS:
            return f"{self.name} has been in one pass for {time.monotonic() - started:.0f} s"
        return None

    def run(self) -> None:
        """Pass after pass."""
        structlog.contextvars.bind_contextvars(daemon=self.name)
        passes_in_a_row = 0
        while not self._stop_all.is_set():
            called = self._work.wait(self._pace.idle_seconds)
            self._work.clear()
            if self._stop_all.is_set():
                return
            if self._one_pass():
                passes_in_a_row = passes_in_a_row + 1 if called else 0
                pause = self._pace.pause_seconds(passes_in_a_row)
            else:
                pause = self._pace.failure_seconds(self._failures)
            self._work.clear()  # what was waiting has been looked at; the watcher will tell what is left
            self._stop_all.wait(pause)
            if not self._work.wait(timeout=0):
                passes_in_a_row = 0

    def _one_pass(self) -> bool:
        self._pass_started = time.monotonic()
        try:
            if self._pass is None:
                self._pass = self._prepare()
            self._pass()
        except Exception as failure:
            self._failures += 1
            self._last_error = f"{type(failure).__name__}: {failure}".splitlines()[0]
            _FAILURES.labels(self.name).inc()
            logger.exception("a pass failed", failures=self._failures)
            return False
        finally:
            _SECONDS.labels(self.name).observe(time.monotonic() - self._pass_started)
            self._pass_started = None
        self._failures = 0
        _PASSES.labels(self.name).inc()
        _LAST.labels(self.name).set_to_current_time()
        return True
