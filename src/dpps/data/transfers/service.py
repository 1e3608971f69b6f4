"""What an operator needs of the transfer service: an FTS3, or the mover that speaks as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

__all__ = [
    "MovedFile",
    "RetryLog",
    "ServiceAttempt",
    "ServiceBan",
    "ServiceLink",
    "StorageRest",
    "TransferService",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFile:
    """One file of a job, as the transfer service tells."""

    job_id: str
    file_id: int
    state: str
    source: str
    destination: str
    reason: str
    attempts: int
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None = None
    """When it is tried next; None where the service does not tell."""
    size_bytes: int | None
    metadata: Mapping[str, Any]
    """Rucio's: ``name``, ``src_rse``, ``dst_rse``, ``activity``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLog:
    """One failed attempt, as FTS3 keeps it."""

    attempt: int
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBan:
    """A banned storage."""

    storage: str
    message: str
    status: str
    banned_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLink:
    """What a link does now and did lately."""

    source: str
    destination: str
    queued: int
    active: int
    finished: int
    failed: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRest:
    """A storage that failed lately."""

    storage: str
    failures: int
    reason: str
    since: datetime
    rests_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAttempt:
    """One attempt that ended."""

    job_id: str
    number: int
    name: str
    source: str
    destination: str
    started_at: datetime
    finished_at: datetime
    size_bytes: int | None
    outcome: str
    failure: str
    reason: str


class TransferService(Protocol):
    """The calls; those named ``own_…`` are answered by the mover of this system only."""

    def jobs(
        self,
        *,
        states: Sequence[str] = (),
        source: str | None = None,
        destination: str | None = None,
        limit: int = 100,
    ) -> list[str]:
        """Return the ids of jobs, the newest first; without states those that are not final."""
        ...

    def files(self, job_ids: Sequence[str]) -> list[MovedFile]:
        """Return the files of jobs; unknown jobs have none."""
        ...

    def retries(self, job_id: str, file_id: int) -> list[RetryLog]:
        """Return the failed attempts at a file, the first first."""
        ...

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs; unknown and final ones are no error."""
        ...

    def limit_link(self, source: str, destination: str, active_max: int | None) -> None:
        """Set how many files may move on a link at the same time; None: no limit of its own."""
        ...

    def link_limits(self) -> dict[tuple[str, str], int]:
        """Return the limits of links by source and destination."""
        ...

    def limit_storage(self, storage: str, *, inbound_max: int | None, outbound_max: int | None) -> None:
        """Set how many files may be written to and read from a storage at the same time; None: as it was."""
        ...

    def storage_limits(self) -> dict[str, tuple[int | None, int | None]]:
        """Return inbound and outbound limits by storage."""
        ...

    def share(self, vo: str, activity: str, weight: float | None) -> dict[str, float]:
        """Set the weight of one activity, None removes it; return all weights."""
        ...

    def shares(self, vo: str) -> dict[str, float]:
        """Return the weights of activities; empty where none are set."""
        ...

    def ban(self, storage: str, message: str) -> bool:
        """Move nothing from or to a storage, cancel what waits; False where the service cannot ban."""
        ...

    def unban(self, storage: str) -> None:
        """Let files move again; absent is no error."""
        ...

    def bans(self) -> list[ServiceBan]:
        """Return the banned storages; none where the service cannot ban."""
        ...

    def own_links(self, seconds: float) -> list[ServiceLink]:
        """Return what links do now and did in the last seconds.

        Raises
        ------
        NotFound
            When the service is a stock FTS3.
        """
        ...

    def own_rests(self) -> list[StorageRest]:
        """Return the storages that failed lately; none from a stock FTS3."""
        ...

    def own_attempts(
        self, *, name: str | None = None, since: datetime | None = None, limit: int = 100
    ) -> list[ServiceAttempt]:
        """Return the last attempts, the newest first.

        Raises
        ------
        NotFound
            When the service is a stock FTS3.
        """
        ...
