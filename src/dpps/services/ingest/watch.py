"""The loops of the ingest service: look, work, wait; longer the less there is to do or the less works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

import structlog

from dpps.data.handover import RefusedFiles, find_handed
from dpps.data.ingest import IngestedFile, IngestSettings, ingest_pass
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, FileInspector, Storage
from dpps.data.preservation import PreservationOutcome, preservation_pass
from dpps.domain.errors import DppsError
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from dpps.services.ingest.metrics import IngestMetrics

__all__ = ["HandoverWork", "IngestParts", "Loop", "Pace", "PreservationWork", "Work"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestParts:
    """What the service works with."""

    principal: Principal
    connect: Callable[[], Catalogue]
    storage: Storage
    inspectors: list[FileInspector]
    policy: PreservationPolicy
    settings: IngestSettings


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


class Work(Protocol):
    """Something to do again and again with the catalogue."""

    def __call__(self, catalogue: Catalogue) -> bool:
        """Do what there is to do now; tell whether there was anything."""
        ...


class Loop:
    """Repeats one kind of work, through outages of what it needs.

    Parameters
    ----------
    connect : callable
        Makes a catalogue; called again after every outage.
    work : Work
        What to do.
    pace : Pace
        How long to wait between rounds.
    metrics : IngestMetrics
        Where outages are counted.
    """

    def __init__(
        self, connect: Callable[[], Catalogue], work: Work, pace: Pace, metrics: IngestMetrics
    ) -> None:
        self._connect = connect
        self._work = work
        self._pace = pace
        self._metrics = metrics
        self._retry = Pace(shortest_seconds=1.0, longest_seconds=60.0)
        self._catalogue: Catalogue | None = None
        self.trouble: str | None = "the first round is not over yet"
        """Why nothing works now, or None."""

    def run(self, stop: Event) -> None:
        """Work until told to stop."""
        while not stop.is_set():
            stop.wait(self.round())

    def round(self) -> float:
        """Work once; return the seconds to wait before the next round."""
        try:
            if self._catalogue is None:
                self._catalogue = self._connect()
            worked = self._work(self._catalogue)
        except DppsError as error:
            self._catalogue = None  # it may come back as another
            self.trouble = error.message
            self._metrics.note_interruption(error.code)
            wait_seconds = self._retry.after(worked=False)
            facts = {"code": error.code, "next_step": error.next_step, "retry_in_seconds": wait_seconds}
            _log.warning(error.message, **facts)
            return wait_seconds
        self.trouble = None
        self._retry.after(worked=True)
        return self._pace.after(worked=worked)


class HandoverWork:
    """Ingests what is announced in the hand-over folder.

    Parameters
    ----------
    parts : IngestParts
        What to work with.
    metrics : IngestMetrics
        What to count in.
    """

    def __init__(self, parts: IngestParts, metrics: IngestMetrics) -> None:
        self._parts = parts
        self._metrics = metrics
        self._refused = RefusedFiles()

    def refusals(self) -> list[dict[str, object]]:
        """Return every refused file that waits for its sender, with the reason."""
        return [{"path": str(path), **error.as_dict()} for path, error in self._refused.listing()]

    def __call__(self, catalogue: Catalogue) -> bool:
        """Make one pass, unless there is nothing but files that were refused before."""
        parts = self._parts
        if all(self._refused.recall(one) for one in find_handed(parts.settings.handover)):
            return False
        begun = time.monotonic()
        results = ingest_pass(
            parts.principal,
            catalogue,
            parts.storage,
            parts.inspectors,
            parts.policy,
            parts.settings,
            refused=self._refused,
            progress=self._note,
        )
        refused = sum(one.error is not None for one in results)
        self._metrics.note_pass(time.monotonic() - begun, refused)
        return len(results) > refused

    def _note(self, result: IngestedFile, _total: int) -> None:
        self._metrics.count_file(result)
        if result.error is None:
            _log.info(result.outcome.value, lfn=str(result.lfn), rse=result.rse, bytes=result.size_bytes)
        else:
            _log.warning("refused", path=str(result.path), **result.error.as_dict())


class PreservationWork:
    """Frees on-site copies that are safe elsewhere.

    Parameters
    ----------
    parts : IngestParts
        What to work with.
    metrics : IngestMetrics
        What to count in.
    """

    def __init__(self, parts: IngestParts, metrics: IngestMetrics) -> None:
        self._parts = parts
        self._metrics = metrics
        self._freed: set[tuple[str, Lfn]] = set()

    def __call__(self, catalogue: Catalogue) -> bool:
        """Make one pass."""
        parts = self._parts
        copies = preservation_pass(parts.principal, catalogue, parts.storage, parts.policy, done=self._freed)
        self._metrics.note_preservation(copies)
        freed = [copy for copy in copies if copy.outcome is PreservationOutcome.FREED]
        for copy in freed:
            _log.info("freed", lfn=str(copy.lfn), rse=copy.rse, verified_at=list(copy.verified_at))
        return bool(freed)
