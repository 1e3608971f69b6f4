"""Jobs on warm workers of this machine, through Parsl's high-throughput executor.

Started with the first job, stopped when nothing was to do for a while: idle, it costs nothing. Everything
that it starts ends with this process, however that ends (see `dpps.adapters.parsl.guard`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import structlog

from dpps.adapters.parsl.executor import LocalExecutor
from dpps.domain.errors import Unavailable
from dpps.domain.work import ExitReason
from dpps.workload.ports import JobEnd

__all__ = ["ParslEngine"]


class ParslEngine:
    """An engine that holds no durable state.

    Parameters
    ----------
    run : callable
        Module-level function that runs a bundle (JSON text) on a worker.
    folder : Path
        For logs and sandboxes; emptied when the executor starts.
    workers : int
        How many jobs at a time.
    idle_seconds : float
        How long an idle executor is kept.
    """

    def __init__(
        self, run: Callable[[str], object], folder: Path, *, workers: int, idle_seconds: float = 120.0
    ) -> None:
        self._run = run
        self._folder = folder
        self._workers = workers
        self._idle_seconds = idle_seconds
        self._executor: LocalExecutor | None = None
        self._jobs: dict[str, Future[object]] = {}
        self._lock = threading.Lock()
        self._last_used = time.monotonic()
        self._wake: Callable[[], None] = lambda: None
        self._log = structlog.get_logger(__name__)

    def submit(self, job: str, bundle: str, *, priority: int) -> None:
        """Hand over a job; idempotent by job while it is known."""
        with self._lock:
            if job in self._jobs:
                return
            future = self._started().submit(self._run, bundle, priority=priority)
            self._jobs[job] = future
        future.add_done_callback(lambda _: self._wake())

    def _started(self) -> LocalExecutor:
        self._last_used = time.monotonic()
        if self._executor is None:
            try:
                self._executor = LocalExecutor(self._folder, workers=self._workers)
            except OSError as refused:
                raise Unavailable(
                    f"the Parsl executor cannot be started: {refused}",
                    code="engine-unavailable",
                    next_step=f"see the logs in {self._folder}",
                ) from refused
            seconds = round(time.monotonic() - self._last_used, 2)
            self._log.info("parsl executor started", seconds=seconds, workers=self._workers)
        return self._executor

    def withdraw(self, job: str) -> None:
        """Ask that a job end soon, or not begin: nobody wants its work any more."""
        with self._lock:
            if job not in self._jobs or self._executor is None:
                return
            try:
                self._executor.withdraw(job)
            except OSError as refused:
                raise Unavailable(
                    f"the worker of job {job} cannot be told to end it: {refused}",
                    code="engine-unavailable",
                    next_step=f"let the workload service write in {self._folder}",
                    job=job,
                ) from refused

    def known(self) -> frozenset[str]:
        """Return the jobs that were submitted and whose end was not collected."""
        with self._lock:
            return frozenset(self._jobs)

    def collect(self) -> list[JobEnd]:
        """Return jobs that ended; each is returned exactly once and is not known afterwards."""
        with self._lock:
            self._mend()
            over = {job: future for job, future in self._jobs.items() if future.done()}
            for job in over:
                del self._jobs[job]
                if self._executor is not None:
                    self._executor.forget(job)
            if over:
                self._last_used = time.monotonic()
        return [_end(job, future) for job, future in over.items()]

    def _mend(self) -> None:
        """Notice that the interchange or the worker pool has died, and begin anew."""
        if self._executor is None or not self._jobs:
            return
        if not self._executor.is_sound:
            self._lose_all("the interchange of the engine died")
            return
        try:
            if self._executor.mend_pool():
                self._log.error("parsl worker pool was gone and is started again", jobs=len(self._jobs))
        except OSError as broken:
            self._lose_all(str(broken))

    def _lose_all(self, why: str) -> None:
        self._log.error("parsl executor is given up", jobs=len(self._jobs), error=why)
        self._stop_executor()
        for future in self._jobs.values():
            if not future.done():
                future.set_exception(_EngineLost(why))

    def capacity(self) -> int:
        """Return how many further jobs are useful now: twice the workers, so that none waits for us."""
        with self._lock:
            return max(0, 2 * self._workers - len(self._jobs))

    def on_end(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, whenever a job ends."""
        self._wake = wake

    def release_idle(self) -> bool:
        """Stop the executor when nothing was to do for a while; return whether it is kept."""
        with self._lock:
            idle_seconds = time.monotonic() - self._last_used
            if self._executor is not None and not self._jobs and idle_seconds > self._idle_seconds:
                self._log.info("parsl executor stopped", idle_seconds=round(idle_seconds))
                self._stop_executor()
            return self._executor is not None

    @property
    def is_running(self) -> bool:
        """Whether workers exist."""
        return self._executor is not None

    def stop(self) -> None:
        """End everything that the engine started; idempotent."""
        with self._lock:
            self._stop_executor()
            self._jobs.clear()

    def _stop_executor(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.stop()


class _EngineLost(Exception):
    """The engine lost its jobs."""


def _end(job: str, future: Future[object]) -> JobEnd:
    if future.cancelled():
        return JobEnd(job=job, exit_reason=ExitReason.KILLED, detail="the engine was stopped")
    error = future.exception()
    if error is None:
        return JobEnd(job=job, exit_reason=ExitReason.FINISHED)
    return JobEnd(job=job, exit_reason=_reason_of(error), detail=f"{type(error).__name__}: {error}"[:2000])


def _reason_of(error: BaseException) -> ExitReason:
    """Return what an error that Parsl gives instead of a result means."""
    from parsl.executors.errors import ExecutorError
    from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

    if isinstance(error, _EngineLost | ManagerLost | WorkerLost | ExecutorError):
        return ExitReason.LOST
    return ExitReason.MISSING
