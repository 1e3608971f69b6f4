"""Limits, breakers and attempts of the transfer queue in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dpps.data.transfers.breaker import Breaker, breakers_after
from dpps.data.transfers.history import Attempt, JobFilter, LinkActivity
from dpps.data.transfers.lanes import Lane, is_named
from dpps.data.transfers.limits import TransferLimits
from dpps.data.transfers.records import Claim, JobRequest, Settlement, TransferFile
from dpps.data.transfers.states import FileState

__all__ = ["MemoryTransferRecords", "QueueRow"]


@dataclass
class QueueRow:
    """One file of the queue."""

    job_id: UUID
    position: int
    file: TransferFile
    lanes: list[Lane]
    """By source."""
    claims: int = 0
    worker: int | None = None

    @property
    def lane(self) -> Lane:
        """The lane from the source in use."""
        return self.lanes[self.file.source_position]


class MemoryTransferRecords:
    """Implements ``LimitsStore`` and ``TransferHistory`` on the rows of a queue."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[UUID, tuple[JobRequest, datetime]] = {}
        self._rows: dict[int, QueueRow] = {}
        self._limits = TransferLimits()
        self._breakers: dict[str, Breaker] = {}
        self._attempts: list[Attempt] = []

    def limits(self) -> TransferLimits:
        """Return what is set."""
        return self._limits

    def change_limits(self, change: Callable[[TransferLimits], TransferLimits]) -> TransferLimits:
        """Replace what is set by what ``change`` makes of it, and wake the workers."""
        with self._changed:
            self._limits = change(self._limits)
            self._changed.notify_all()
            return self._limits

    def attempts(
        self,
        *,
        file_id: int | None = None,
        name: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Attempt]:
        """Return the last attempts, the newest first."""
        with self._changed:
            found = [
                one
                for one in reversed(self._attempts)
                if file_id in {None, one.file_id}
                and name in {None, one.name}
                and (since is None or one.finished_at >= since)
            ]
        return sorted(found, key=lambda one: one.finished_at, reverse=True)[:limit]

    def links(self, since: datetime) -> list[LinkActivity]:
        """Return every link with something that waits or moves now, or ended since then."""
        with self._changed:
            links = {(row.lane.source, row.lane.destination) for row in self._rows.values()}
            found = [self._link(source, destination, since) for source, destination in sorted(links)]
        return [one for one in found if one.queued or one.active or one.finished or one.failed]

    def _link(self, source: str, destination: str, since: datetime) -> LinkActivity:
        link = (source, destination)
        states = [
            row.file.state for row in self._rows.values() if (row.lane.source, row.lane.destination) == link
        ]
        ended = [
            one
            for one in self._attempts
            if (one.lane.source, one.lane.destination) == link and one.finished_at >= since
        ]
        return LinkActivity(
            source=source,
            destination=destination,
            queued=states.count(FileState.SUBMITTED),
            active=states.count(FileState.ACTIVE),
            finished=sum(one.outcome is FileState.FINISHED for one in ended),
            failed=sum(bool(one.failure) for one in ended),
            size_bytes=sum(one.size_bytes or 0 for one in ended),
        )

    def job_ids(self, wanted: JobFilter) -> list[UUID]:
        """Return jobs that have a file of the kind asked for, the newest first."""
        states = wanted.states or (FileState.SUBMITTED, FileState.ACTIVE)
        with self._changed:
            having = {
                row.job_id
                for row in self._rows.values()
                if row.file.state in states
                and (wanted.source is None or is_named(wanted.source, row.lane.source))
                and (wanted.destination is None or is_named(wanted.destination, row.lane.destination))
            }
            times = {job_id: submitted_at for job_id, (_, submitted_at) in self._jobs.items()}
        after = wanted.submitted_after
        recent = [job_id for job_id in having if after is None or times[job_id] >= after]
        return sorted(sorted(recent), key=lambda job_id: times[job_id], reverse=True)[: wanted.limit]

    def breakers(self) -> list[Breaker]:
        """Return the storages that failed lately, by name."""
        with self._changed:
            return [self._breakers[storage] for storage in sorted(self._breakers)]

    def _note_end(self, row: QueueRow, claim: Claim, settlement: Settlement, now: datetime) -> None:
        if not settlement.counted:
            return
        self._attempts.append(_attempt(row, claim, settlement, now))
        for storage, state in breakers_after(row.lane, settlement, self._breakers, now).items():
            if state is None:
                del self._breakers[storage]
            else:
                self._breakers[storage] = state


def _attempt(row: QueueRow, claim: Claim, settlement: Settlement, now: datetime) -> Attempt:
    failure = settlement.failure
    return Attempt(
        job_id=row.job_id,
        file_id=claim.file_id,
        number=claim.number,
        name=str(claim.request.metadata.get("name", "")),
        lane=row.lane,
        source=claim.source,
        destination=claim.request.destination,
        started_at=claim.started_at or now,
        finished_at=now,
        size_bytes=settlement.found.size_bytes if settlement.found and failure is None else None,
        outcome=settlement.state,
        failure=failure.kind.value if failure else "",
        reason=settlement.reason,
    )
