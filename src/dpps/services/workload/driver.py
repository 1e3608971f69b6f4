"""The thread that lets the agent make its passes: at once when something happened, else not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from dpps.domain.errors import DppsError
from dpps.workload.agent import Agent
from dpps.workload.context import WorkloadContext

__all__ = ["AgentDriver", "Health"]

_LONGEST_WAIT_SECONDS = 300.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the agent works, and if not, why."""

    healthy: bool
    reason: str = ""


class AgentDriver:
    """Runs passes in a thread until it is stopped.

    Parameters
    ----------
    context : WorkloadContext
        Ports and settings of the agent.
    prepare : callable
        Called before the first pass, and again until it succeeds.
    on_death : callable
        Called when the thread ends without being told to: by an error in the program.
    """

    def __init__(
        self,
        context: WorkloadContext,
        *,
        prepare: Callable[[], None],
        on_death: Callable[[], None],
    ) -> None:
        self._context = context
        self._prepare = prepare
        self._on_death = on_death
        self._agent = Agent(context)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agent")
        self._end_listening: Callable[[], None] = lambda: None
        self._log = structlog.get_logger(__name__)
        self.health = Health(healthy=False, reason="it has not made its first pass yet")
        self.passes = 0
        """Passes made since the start."""
        self.seconds = 0.0
        """Time spent in passes."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something happened."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread, and everything that the engine runs."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._end_listening()
        self._context.engine.stop()

    def _run(self) -> None:
        try:
            self._loop()
        finally:
            if not self._stopping.is_set():
                self.health = Health(healthy=False, reason="the agent died; its log says why")
                self._on_death()

    def _loop(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        prepared = False
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if not prepared:
                    self._begin()
                    prepared = True
                wait_seconds = self._pass()
            except DppsError as error:
                self.health = Health(healthy=False, reason=error.message)
                self._log.warning(error.message, code=error.code, next_step=error.next_step)
                self._stopping.wait(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                continue
            pause_seconds = _FIRST_PAUSE_SECONDS
            self.health = Health(healthy=True)
            self._wake.wait(wait_seconds)

    def _begin(self) -> None:
        self._prepare()
        self._context.engine.on_end(self.wake)
        self._end_listening = self._context.store.listen(self.wake)

    def _pass(self) -> float:
        begin = time.monotonic()
        result = self._agent.step()
        self.passes += 1
        self.seconds += time.monotonic() - begin
        if result.changed:
            return 0.0
        return self._seconds_until(result.next_at)

    def _seconds_until(self, moment: datetime | None) -> float:
        if moment is None:
            return _LONGEST_WAIT_SECONDS
        seconds = (moment - self._context.clock()).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)
