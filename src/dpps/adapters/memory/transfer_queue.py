"""The transfer queue in this process: for tests and dry runs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from dpps.adapters.memory.transfer_records import MemoryTransferRecords, QueueRow
from dpps.data.transfers.lanes import StorageNames, is_named
from dpps.data.transfers.limits import LaneLoad, open_lanes, take_turn
from dpps.data.transfers.records import (
    Claim,
    JobRequest,
    QueueSummary,
    Settlement,
    TransferFile,
    TransferJob,
)
from dpps.data.transfers.states import FINAL_STATES, FileState, JobType, check_transition
from dpps.domain.errors import Conflict, Unavailable

__all__ = ["MemoryTransferQueue", "MemoryWorkerSession"]


class MemoryWorkerSession:
    """A worker that lives until `close`."""

    def __init__(self, number: int, alive: set[int], changed: threading.Condition) -> None:
        self.number = number
        self._alive = alive
        self._changed = changed

    def wait(self, seconds: float) -> bool:
        """Return True as soon as the queue has changed, False when the time is over."""
        with self._changed:
            changed = self.number in self._alive and self._changed.wait(seconds)
            if self.number not in self._alive:
                raise Unavailable("the session of this worker has ended", next_step="enrol again")
            return changed

    def close(self) -> None:
        """End the session."""
        with self._changed:
            self._alive.discard(self.number)
            self._changed.notify_all()


class MemoryTransferQueue(MemoryTransferRecords):
    """Implements ``TransferQueue``, ``LimitsStore`` and ``TransferHistory``, one lock around everything.

    Parameters
    ----------
    storages : StorageNames, optional
        The storages that are known by name.
    vo : str
        Whose activity shares count.
    """

    def __init__(self, storages: StorageNames | None = None, vo: str = "ctao") -> None:
        super().__init__()
        self._storages = storages or StorageNames()
        self._vo = vo
        self._served: dict[str, float] = {}
        self._alive: set[int] = set()
        self._numbers = 0
        self._file_ids = 0

    def enrol(self, number: int | None = None) -> MemoryWorkerSession:
        """Begin to work, under a new number or under one's own of before a lost session."""
        with self._changed:
            if number is None:
                self._numbers += 1
                number = self._numbers
            if number in self._alive:
                raise Conflict(f"worker {number} is alive", next_step="enrol under a new number")
            self._alive.add(number)
            return MemoryWorkerSession(number, self._alive, self._changed)

    def submit(self, request: JobRequest, now: datetime) -> UUID:
        """Store a job and return its id, or that of the job that this repeats."""
        with self._changed:
            known = self._jobs.get(request.job_id)
            if known is not None:
                if known[0].fingerprint != request.fingerprint or not request.fingerprint:
                    raise Conflict(
                        f"the job {request.job_id} exists with other content",
                        code="job-exists",
                        next_step="submit under another id",
                        job=request.job_id,
                    )
                return request.job_id
            repeated = self._repeated(request.fingerprint)
            if repeated is not None:
                return repeated
            self._insert(request, now)
            self._changed.notify_all()
            return request.job_id

    def jobs(self, job_ids: Sequence[UUID]) -> list[TransferJob | None]:
        """Return each job, or None for an unknown one, in the order asked."""
        with self._changed:
            return [self._job(job_id) if job_id in self._jobs else None for job_id in job_ids]

    def cancel(self, job_ids: Sequence[UUID], now: datetime) -> list[TransferJob | None]:
        """Cancel what waits; ask the workers to stop what is active."""
        with self._changed:
            for row in self._rows_of(*job_ids):
                if row.file.state is FileState.SUBMITTED and row.claims == 0:
                    self._change(row, FileState.CANCELED, finished_at=now, reason="canceled on request")
                elif row.file.state in {FileState.SUBMITTED, FileState.ACTIVE}:
                    row.file = replace(row.file, cancel_requested=True, due_at=now)
            self._changed.notify_all()
            return self.jobs(job_ids)

    def prioritise(self, job_id: UUID, priority: int) -> TransferJob | None:
        """Change the priority of a job's files; None when the job is unknown."""
        with self._changed:
            for row in self._rows_of(job_id):
                row.file = replace(row.file, priority=priority)
            return self.jobs([job_id])[0]

    def claim(self, worker: int, now: datetime) -> Claim | None:
        """Hand the file whose turn it is to one worker, within the limits."""
        with self._changed:
            due = self._startable(now)
            if not due:
                return None
            shares = self._limits.shares.get(self._vo)
            if shares is not None and shares.active:
                waiting = sorted({row.lane.activity for row in due})
                activity, self._served = take_turn(waiting, shares, self._served)
                due = [row for row in due if row.lane.activity == activity]
            row = min(due, key=lambda row: (-row.file.priority, row.file.file_id))
            self._change(row, FileState.ACTIVE, started_at=now)
            row.claims += 1
            row.worker = worker
            return self._claim(row, worker)

    def _startable(self, now: datetime) -> list[QueueRow]:
        rows = list(self._rows.values())
        active = [row for row in rows if row.file.state is FileState.ACTIVE]
        busy = {row.file.request.destination for row in active}
        moving = Counter(row.lane for row in active)
        loads = [LaneLoad(lane=lane, active=moving[lane]) for lane in {row.lane for row in rows}]
        resting = {one.storage: one.rests_until for one in self._breakers.values() if one.rests_until}
        allowed = open_lanes(loads, self._limits, resting, now)
        return [
            row
            for row in rows
            if row.file.state is FileState.SUBMITTED
            and row.file.due_at <= now
            and row.file.request.destination not in busy
            and row.lane in allowed
        ]

    def settle(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        """End a claim; False, and no change, when the claim was lost to another worker."""
        with self._changed:
            row = self._held(claim)
            if row is None:
                return False
            row.worker = None
            self._note_end(row, claim, settlement, now)
            state, reason = settlement.state, settlement.reason
            if state is FileState.SUBMITTED and row.file.cancel_requested:
                state, reason = FileState.CANCELED, "canceled on request"
            self._change(
                row,
                state,
                reason=reason,
                due_at=settlement.due_at or row.file.due_at,
                finished_at=now if state in FINAL_STATES else None,
                attempts=row.file.attempts + settlement.counted,
                found=settlement.found,
            )
            if settlement.source_position is not None:
                row.file = replace(row.file, source_position=settlement.source_position)
            if state is FileState.FINISHED:
                self._begin_next_hop(row, now)
            self._changed.notify_all()
            return True

    def cancel_requested(self, claim: Claim) -> bool:
        """Tell whether this work is no longer wanted."""
        with self._changed:
            row = self._held(claim)
            return row is None or row.file.cancel_requested

    def recover(self, now: datetime) -> int:
        """Give files that dead workers hold back to the queue; return how many."""
        with self._changed:
            lost = [
                row
                for row in self._rows.values()
                if row.file.state is FileState.ACTIVE and row.worker not in self._alive
            ]
            for row in lost:
                self._change(row, FileState.SUBMITTED, due_at=now, reason="the worker died; taken up again")
                row.worker = None
            self._changed.notify_all()
            return len(lost)

    def summary(self) -> QueueSummary:
        """Return figures of what is unfinished."""
        with self._changed:
            waiting = [row.file for row in self._rows.values() if row.file.state is FileState.SUBMITTED]
            active = sum(row.file.state is FileState.ACTIVE for row in self._rows.values())
            due = min((file.due_at for file in waiting), default=None)
            return QueueSummary(waiting=len(waiting), active=active, next_due_at=due)

    def cancel_for_storage(self, storage: str, reason: str, now: datetime) -> int:
        """Cancel what waits to be moved from or to a storage; return how many files."""
        with self._changed:
            waiting = [
                row
                for row in self._rows.values()
                if row.file.state is FileState.SUBMITTED
                and (is_named(storage, row.lane.source) or is_named(storage, row.lane.destination))
            ]
            for row in waiting:
                self._change(row, FileState.CANCELED, finished_at=now, reason=reason)
            return len(waiting)

    def purge(self, before: datetime) -> int:
        """Forget jobs that were submitted before a time and have nothing unfinished."""
        with self._changed:
            old = [
                job_id
                for job_id, (_, submitted_at) in self._jobs.items()
                if submitted_at < before and not self._job(job_id).unfinished
            ]
            for job_id in old:
                del self._jobs[job_id]
            self._rows = {key: row for key, row in self._rows.items() if row.job_id not in old}
            self._attempts = [one for one in self._attempts if one.job_id not in old]
            return len(old)

    def _insert(self, request: JobRequest, now: datetime) -> None:
        self._jobs[request.job_id] = (request, now)
        for position, wanted in enumerate(request.files):
            later_hop = request.job_type is JobType.MULTI_HOP and position > 0
            self._file_ids += 1
            self._rows[self._file_ids] = QueueRow(
                job_id=request.job_id,
                position=position,
                lanes=self._storages.lanes(wanted.sources, wanted.destination, wanted.activity),
                file=TransferFile(
                    file_id=self._file_ids,
                    request=wanted,
                    state=FileState.NOT_USED if later_hop else FileState.SUBMITTED,
                    priority=request.priority,
                    due_at=now,
                ),
            )

    def _repeated(self, fingerprint: str) -> UUID | None:
        for job_id, (earlier, _) in self._jobs.items():
            if fingerprint and earlier.fingerprint == fingerprint and self._job(job_id).unfinished:
                return job_id
        return None

    def _rows_of(self, *job_ids: UUID) -> Iterator[QueueRow]:
        return (row for row in list(self._rows.values()) if row.job_id in job_ids)

    def _job(self, job_id: UUID) -> TransferJob:
        request, submitted_at = self._jobs[job_id]
        return TransferJob(
            job_id=job_id,
            job_type=request.job_type,
            submitted_at=submitted_at,
            metadata=request.metadata,
            files=tuple(row.file for row in self._rows_of(job_id)),
        )

    def _claim(self, row: QueueRow, worker: int) -> Claim:
        request = self._jobs[row.job_id][0]
        return Claim(
            file_id=row.file.file_id,
            number=row.claims,
            worker=worker,
            request=row.file.request,
            source_position=row.file.source_position,
            attempts=row.file.attempts,
            overwrite=request.overwrite,
            verify_checksum=request.verify_checksum,
            cancel_requested=row.file.cancel_requested,
            lane=row.lane,
            started_at=row.file.started_at,
        )

    def _held(self, claim: Claim) -> QueueRow | None:
        row = self._rows.get(claim.file_id)
        held = row is not None and row.file.state is FileState.ACTIVE and row.claims == claim.number
        return row if held else None

    def _begin_next_hop(self, row: QueueRow, now: datetime) -> None:
        for other in self._rows_of(row.job_id):
            if other.position == row.position + 1 and other.file.state is FileState.NOT_USED:
                self._change(other, FileState.SUBMITTED, due_at=now)

    @staticmethod
    def _change(row: QueueRow, state: FileState, **values: object) -> None:
        check_transition(row.file.state, state)
        row.file = replace(row.file, state=state, **values)  # type: ignore[arg-type]
