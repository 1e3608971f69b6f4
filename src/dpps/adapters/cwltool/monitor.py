"""Watching the processes of a job: how much memory they use, and ending them when that is called for."""

from __future__ import annotations

import resource
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from dpps.domain.work import ExitReason

__all__ = ["ProcessMonitor"]

_PERIOD_SECONDS = 0.2
_GRACE_SECONDS = 5.0


class ProcessMonitor:
    """Context in which all child processes of this one are counted as the job's.

    Parameters
    ----------
    memory_bytes : int
        Resident memory of all of them together that ends the job.
    wall_seconds : float
        Duration that ends the job.
    stop_file : Path or None
        File whose appearance ends the job.
    """

    def __init__(self, *, memory_bytes: int, wall_seconds: float, stop_file: Path | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._wall_seconds = wall_seconds
        self._stop_file = stop_file
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="job-monitor", daemon=True)
        self._began = 0.0
        self._began_cpu = 0.0
        self.peak_memory_bytes = 0
        """Greatest resident memory seen, in steps of a fifth of a second."""
        self.verdict: ExitReason | None = None
        """The limit that was passed, or that somebody stopped it."""
        self.wall_seconds = 0.0
        self.cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._began, self._began_cpu = time.monotonic(), _children_cpu_seconds()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self.wall_seconds = time.monotonic() - self._began
        self.cpu_seconds = _children_cpu_seconds() - self._began_cpu

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._over.wait(_PERIOD_SECONDS):
            processes = own.children(recursive=True)
            memory_bytes = sum(_resident_bytes(process) for process in processes)
            self.peak_memory_bytes = max(self.peak_memory_bytes, memory_bytes)
            if memory_bytes > self._memory_bytes:
                self.verdict = ExitReason.MEMLIMIT
            elif time.monotonic() - self._began > self._wall_seconds:
                self.verdict = ExitReason.MAXJOBDURATION
            elif self._stop_file is not None and self._stop_file.exists():
                self.verdict = ExitReason.KILLED
            if self.verdict is not None:
                _end(processes)


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, stubborn = psutil.wait_procs(processes, timeout=_GRACE_SECONDS)
    for process in stubborn:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
