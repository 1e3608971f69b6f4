"""What was tried and how it ended; what moves on each link now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from dpps.data.transfers.breaker import Breaker
from dpps.data.transfers.lanes import Lane
from dpps.data.transfers.states import FileState

__all__ = ["Attempt", "JobFilter", "LinkActivity", "TransferHistory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt that ended."""

    job_id: UUID
    file_id: int
    number: int
    name: str
    """Name of the file in the client's words; empty when it gave none."""
    lane: Lane
    source: str
    destination: str
    started_at: datetime
    finished_at: datetime
    size_bytes: int | None
    """Bytes that arrived, for a success."""
    outcome: FileState
    failure: str
    """Class of the failure; empty for a success."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkActivity:
    """What a link does now, and what it did since some time."""

    source: str
    destination: str
    queued: int
    active: int
    finished: int
    failed: int
    """Attempts."""
    size_bytes: int
    """Bytes that arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are asked for; without states, those that are not final."""

    states: Collection[FileState] = ()
    source: str | None = None
    destination: str | None = None
    submitted_after: datetime | None = None
    limit: int = 100


class TransferHistory(Protocol):
    """Reads what the queue keeps, always a bounded number of rows."""

    def attempts(
        self,
        *,
        file_id: int | None = None,
        name: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Attempt]:
        """Return the last attempts, the newest first."""
        ...

    def links(self, since: datetime) -> list[LinkActivity]:
        """Return every link with something that waits or moves now, or ended since then."""
        ...

    def job_ids(self, wanted: JobFilter) -> list[UUID]:
        """Return jobs that have a file of the kind asked for, the newest first."""
        ...

    def breakers(self) -> list[Breaker]:
        """Return the storages that failed lately, by name."""
        ...
