"""An engine of threads in this process: for tests and trials."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from dpps.domain.work import ExitReason
from dpps.workload.ports import JobEnd

__all__ = ["MemoryEngine"]


class MemoryEngine:
    """Runs bundles one after the other or a few at a time.

    Parameters
    ----------
    run : callable
        Runs a bundle (JSON text); an exception means that the job failed outside its payload.
    workers : int
        How many at a time.
    """

    def __init__(self, run: Callable[[str], object], *, workers: int = 1) -> None:
        self._run = run
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="memory-engine")
        self._jobs: dict[str, Future[object]] = {}
        self._lock = threading.Lock()
        self._wake: Callable[[], None] = lambda: None

    def submit(self, job: str, bundle: str, *, priority: int) -> None:
        """Hand over a job; idempotent by job while it is known. Priorities are not observed."""
        del priority
        with self._lock:
            if job in self._jobs:
                return
            self._jobs[job] = future = self._pool.submit(self._run, bundle)
        future.add_done_callback(lambda _: self._wake())

    def withdraw(self, job: str) -> None:
        """Drop a job that has not begun; one that runs goes on to its end."""
        with self._lock:
            future = self._jobs.get(job)
        if future is not None:
            future.cancel()

    def known(self) -> frozenset[str]:
        """Return the jobs that were submitted and whose end was not collected."""
        with self._lock:
            return frozenset(self._jobs)

    def collect(self) -> list[JobEnd]:
        """Return jobs that ended; each is returned exactly once and is not known afterwards."""
        with self._lock:
            over = {job: future for job, future in self._jobs.items() if future.done()}
            for job in over:
                del self._jobs[job]
        return [_end(job, future) for job, future in over.items()]

    def capacity(self) -> int:
        """Return how many further jobs are useful now."""
        with self._lock:
            return max(0, 2 * self._workers - len(self._jobs))

    def on_end(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, from any thread, whenever a job ends."""
        self._wake = wake

    def release_idle(self) -> bool:
        """Give back workers that nothing needs: threads cost nothing, so there is nothing to do."""
        return False

    def stop(self) -> None:
        """Wait for running jobs and drop the others."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _end(job: str, future: Future[object]) -> JobEnd:
    if future.cancelled():
        return JobEnd(
            job=job, exit_reason=ExitReason.KILLED, detail="it was withdrawn, or the engine stopped"
        )
    error = future.exception()
    if error is None:
        return JobEnd(job=job, exit_reason=ExitReason.FINISHED)
    return JobEnd(job=job, exit_reason=ExitReason.MISSING, detail=f"{type(error).__name__}: {error}")
