"""The work of the ingest service: what is announced in the hand-over folder goes into the archive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from dpps.data.ingest.crew import Crew
from dpps.data.ingest.passes import ingest_pass
from dpps.data.ingest.refusals import RefusedFiles
from dpps.data.ingest.values import IngestedFile, IngestOutcome, IngestSettings
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, FileInspector, Storage
from dpps.data.quarantine_reasons import list_quarantined
from dpps.domain.errors import DppsError, StorageFull, Unavailable
from dpps.domain.principals import Principal
from dpps.services.ingest.metrics import IngestMetrics

__all__ = ["HandoverWork", "IngestParts", "RestingCrew"]

_log = structlog.get_logger(__name__)

_TAKEN = (IngestOutcome.INGESTED, IngestOutcome.KNOWN, IngestOutcome.QUARANTINED)
_REST_AFTER_SECONDS = 120.0
_OF_ONE_FILE = "handed-file-"
"""Beginning of the codes of waiting that is about the file, not about what the service needs."""


class RestingCrew(Crew, Protocol):
    """A crew whose workers can be sent away while there is nothing to do."""

    def rest(self) -> None:
        """End the workers until there is work again."""
        ...

    def close(self) -> None:
        """End the workers for good."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestParts:
    """What the service works with."""

    principal: Principal
    connect: Callable[[], Catalogue]
    storage: Storage
    inspectors: list[FileInspector]
    policy: Callable[[], PreservationPolicy]
    """Returns the policy in force, which may change while the service runs."""
    settings: IngestSettings
    crew: RestingCrew


class HandoverWork:
    """Ingests what is announced in the hand-over folder.

    Parameters
    ----------
    parts : IngestParts
        What to work with.
    metrics : IngestMetrics
        What to count in.
    stopping : callable
        True when the process is to end.
    report : callable, optional
        Gets each result.
    """

    def __init__(
        self,
        parts: IngestParts,
        metrics: IngestMetrics,
        *,
        stopping: Callable[[], bool] = lambda: False,
        report: Callable[[IngestedFile], None] = lambda _result: None,
    ) -> None:
        self._parts = parts
        self._metrics = metrics
        self._stopping = stopping
        self._report = report
        self._refused = RefusedFiles()
        self._answered = 0
        self._worked_at = time.monotonic()
        self.outage: DppsError | None = None
        """What an on-site storage lacked in the last pass that needed it."""

    def refusals(self) -> list[dict[str, object]]:
        """Return every file that waits or is quarantined, with the reason."""
        waiting: list[dict[str, object]] = [
            {"path": str(path), "quarantine": None, **error.as_dict()}
            for path, error in self._refused.listing()
        ]
        root = self._parts.settings.handover
        return waiting + [
            {
                "path": str(root / one.handed),
                "quarantine": str(one.path),
                "code": one.code,
                "message": one.reason,
                "next_step": one.next_step,
                "retryable": False,
                "identifiers": {"path": str(one.path)},
            }
            for one in list_quarantined(self._parts.principal, root)
        ]

    def __call__(self, catalogue: Catalogue) -> bool:
        """Make one pass over what is announced and not known to be refused."""
        parts, begun = self._parts, time.monotonic()
        self._answered = 0
        results = ingest_pass(
            parts.principal,
            catalogue,
            parts.storage,
            parts.inspectors,
            parts.policy(),
            parts.settings,
            crew=parts.crew,
            refused=self._refused,
            progress=self._note,
            stopping=self._stopping,
        )
        if results:
            self._worked_at = time.monotonic()
            self.outage = _outage(results)
            self._metrics.note_pass(self._worked_at - begun, len(self._refused.listing()))
        elif time.monotonic() - self._worked_at > _REST_AFTER_SECONDS:
            parts.crew.rest()
        return any(one.outcome in _TAKEN for one in results)

    def _note(self, result: IngestedFile, total: int) -> None:
        self._answered += 1
        self._metrics.count_file(result, queued=total - self._answered)
        self._report(result)
        if result.error is None:
            _log.info(result.outcome.value, lfn=str(result.lfn), rse=result.rse, bytes=result.size_bytes)
        else:
            _log.warning(result.outcome.value, path=str(result.path), **result.error.as_dict())


def _outage(results: list[IngestedFile]) -> DppsError | None:
    errors = (one.error for one in results if isinstance(one.error, Unavailable | StorageFull))
    return next((one for one in errors if not one.code.startswith(_OF_ONE_FILE)), None)
