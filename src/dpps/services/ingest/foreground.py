"""Watching a hand-over folder in the foreground: the work of the ingest service without its HTTP side."""

from __future__ import annotations

from collections.abc import Callable

from dpps.data.ingest.values import IngestedFile
from dpps.services.ingest.handover import HandoverWork, IngestParts
from dpps.services.ingest.metrics import IngestMetrics
from dpps.services.loop import Loop, Pace
from dpps.services.threads import Threads

__all__ = ["watch_folder"]


def watch_folder(parts: IngestParts, report: Callable[[IngestedFile], None]) -> None:
    """Take files as they are announced, until SIGTERM or SIGINT.

    Parameters
    ----------
    parts : IngestParts
        What to work with.
    report : callable
        Gets each result.
    """
    metrics, threads = IngestMetrics(), Threads()
    work = HandoverWork(parts, metrics, stopping=threads.stop.is_set, report=report)
    loop = Loop(parts.connect, work, Pace(shortest_seconds=0.5, longest_seconds=5.0), metrics)
    threads.start("ingest", lambda: loop.run(threads.stop))
    threads.wait()
    threads.join()
