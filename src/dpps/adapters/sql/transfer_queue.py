"""The transfer queue in PostgreSQL: the rows that answer for a file are the queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    TextClause,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.transfer_claims import (
    begin_claim,
    lane_numbers,
    lanes_of_storage,
    next_file,
    note_end,
)
from dpps.adapters.sql.transfer_rows import as_claim, as_job, file_values, job_values
from dpps.adapters.sql.transfer_session import CHANNEL, SqlWorkerSession, held_by_a_dead_worker
from dpps.adapters.sql.transfer_tables import file, history, job
from dpps.data.transfers.lanes import StorageNames
from dpps.data.transfers.records import Claim, JobRequest, QueueSummary, Settlement, TransferJob
from dpps.data.transfers.states import FINAL_STATES, FileState, JobType, check_transition
from dpps.domain.errors import Conflict

__all__ = ["SqlTransferQueue"]

_SUBMISSION_LOCKS: Final = 0x73756266
"""First key of the advisory locks on fingerprints (``subf`` in ASCII)."""

_UNFINISHED: Final = file.c.state.in_([FileState.SUBMITTED, FileState.ACTIVE])

_CLAIM_RACES_MAX: Final = 5
"""How often a claim looks again when the file that it chose was canceled meanwhile."""


class SqlTransferQueue:
    """Implements ``TransferQueue`` on PostgreSQL.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of a migrated database.
    storages : StorageNames, optional
        The storages that are known by name.
    vo : str
        Whose activity shares count.
    """

    def __init__(self, engine: Engine, storages: StorageNames | None = None, vo: str = "ctao") -> None:
        self._engine = engine
        self._storages = storages or StorageNames()
        self._vo = vo

    def enrol(self, number: int | None = None) -> SqlWorkerSession:
        """Begin to work, under a new number or under one's own of before a lost session."""
        return SqlWorkerSession(self._engine, number)

    def submit(self, request: JobRequest, now: datetime) -> UUID:
        """Store a job and return its id, or that of the job that this repeats."""
        with self._transaction() as connection:
            repeated = _repeated(connection, request.fingerprint)
            if repeated is not None:
                return repeated
            new = postgresql_insert(job).values(job_values(request, now)).on_conflict_do_nothing()
            if connection.scalar(new.returning(job.c.id)) is None:
                _refuse_other_content(connection, request)
                return request.job_id
            lanes = _lanes(connection, self._storages, request)
            values = file_values(request, lanes, now)
            connection.execute(insert(file), [_DEFAULTS | one for one in values])
            _notify(connection)
            return request.job_id

    def jobs(self, job_ids: Sequence[UUID]) -> list[TransferJob | None]:
        """Return each job, or None for an unknown one, in the order asked."""
        with self._transaction() as connection:
            return _jobs(connection, job_ids)

    def cancel(self, job_ids: Sequence[UUID], now: datetime) -> list[TransferJob | None]:
        """Cancel what waits; ask the workers to stop what is active."""
        with self._transaction() as connection:
            mine = file.c.job.in_(job_ids)
            _change(
                connection,
                [mine, file.c.claims == 0],
                (FileState.SUBMITTED, FileState.CANCELED),
                now,
                reason="canceled on request",
                finished_at=now,
            )
            connection.execute(
                update(file).where(mine, _UNFINISHED).values(cancel_requested=True, due_at=now)
            )
            _notify(connection)
            return _jobs(connection, job_ids)

    def prioritise(self, job_id: UUID, priority: int) -> TransferJob | None:
        """Change the priority of a job's files; None when the job is unknown."""
        with self._transaction() as connection:
            connection.execute(update(file).where(file.c.job == job_id).values(priority=priority))
            return _jobs(connection, [job_id])[0]

    def claim(self, worker: int, now: datetime) -> Claim | None:
        """Hand the file whose turn it is to one worker, within the limits."""
        with self._transaction() as connection:
            begin_claim(connection)
            for _ in range(_CLAIM_RACES_MAX):
                chosen = next_file(connection, self._vo, now)
                if chosen is None:
                    return None
                number, lane = chosen
                claimed = _change(
                    connection,
                    [file.c.id == number],
                    (FileState.SUBMITTED, FileState.ACTIVE),
                    now,
                    worker=worker,
                    claims=file.c.claims + 1,
                    started_at=now,
                )
                if claimed:
                    parent = connection.execute(select(job).where(job.c.id == claimed[0].job)).one()
                    return as_claim(parent, claimed[0], worker, lane)
            return None

    def settle(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        """End a claim; False, and no change, when the claim was lost to another worker."""
        with self._transaction() as connection:
            held = connection.execute(
                select(
                    file.c.cancel_requested,
                    file.c.due_at,
                    file.c.position,
                    file.c.lane,
                    file.c.lanes,
                    job.c.id,
                    job.c.type,
                )
                .join(job)
                .where(*_held(claim))
                .with_for_update(of=file)
            ).one_or_none()
            if held is None:
                return False
            state, reason = settlement.state, settlement.reason
            if state is FileState.SUBMITTED and held.cancel_requested:
                state, reason = FileState.CANCELED, "canceled on request"
            values: dict[str, Any] = {
                "worker": None,
                "due_at": settlement.due_at or held.due_at,
                "finished_at": now if state in FINAL_STATES else None,
                "attempts": file.c.attempts + int(settlement.counted),
                "found_size_bytes": settlement.found.size_bytes if settlement.found else None,
                "found_adler32": settlement.found.adler32 if settlement.found else None,
            }
            if settlement.source_position is not None:
                values["source_position"] = settlement.source_position
                values["lane"] = held.lanes[settlement.source_position]
            _change(connection, _held(claim), (FileState.ACTIVE, state), now, reason=reason, **values)
            note_end(connection, held.lane, claim, settlement, now)
            if state is FileState.SUBMITTED:
                _notify(connection)
            if state is FileState.FINISHED and held.type == JobType.MULTI_HOP:
                _begin_hop(connection, held.id, held.position + 1, now)
            return True

    def cancel_requested(self, claim: Claim) -> bool:
        """Tell whether this work is no longer wanted."""
        with self._transaction() as connection:
            requested = connection.scalar(select(file.c.cancel_requested).where(*_held(claim)))
            return requested is not False

    def recover(self, now: datetime) -> int:
        """Give files that dead workers hold back to the queue; return how many."""
        with self._transaction() as connection:
            lost = _change(
                connection,
                [held_by_a_dead_worker()],
                (FileState.ACTIVE, FileState.SUBMITTED),
                now,
                reason="the worker died; taken up again",
                worker=None,
                due_at=now,
            )
            if lost:
                _notify(connection)
            return len(lost)

    def summary(self) -> QueueSummary:
        """Return figures of what is unfinished."""
        with self._transaction() as connection:
            counted = (
                select(file.c.state, func.count().label("files"), func.min(file.c.due_at).label("due"))
                .where(_UNFINISHED)
                .group_by(file.c.state)
            )
            rows = {row.state: row for row in connection.execute(counted)}
        waiting, active = rows.get(FileState.SUBMITTED.value), rows.get(FileState.ACTIVE.value)
        return QueueSummary(
            waiting=waiting.files if waiting else 0,
            active=active.files if active else 0,
            next_due_at=waiting.due if waiting else None,
        )

    def cancel_for_storage(self, storage: str, reason: str, now: datetime) -> int:
        """Cancel what waits to be moved from or to a storage; return how many files."""
        with self._transaction() as connection:
            numbers = lanes_of_storage(connection, storage)
            canceled = _change(
                connection,
                [file.c.lane.in_(numbers)],
                (FileState.SUBMITTED, FileState.CANCELED),
                now,
                reason=reason,
                finished_at=now,
            )
            return len(canceled)

    def purge(self, before: datetime) -> int:
        """Forget jobs that were submitted before a time and have nothing unfinished."""
        unfinished = exists().where(file.c.job == job.c.id, _UNFINISHED)
        with self._transaction() as connection:
            return connection.execute(delete(job).where(job.c.submitted_at < before, ~unfinished)).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_errors(), self._engine.begin() as connection:
            yield connection


_DEFAULTS: Final[dict[str, Any]] = {
    "reason": "",
    "source_position": 0,
    "attempts": 0,
    "claims": 0,
    "cancel_requested": False,
}


def _change(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool] | TextClause],
    transition: tuple[FileState, FileState],
    now: datetime,
    *,
    reason: str = "",
    **values: Any,
) -> Sequence[Row[Any]]:
    """Change the state of the files that meet the conditions, and record it; the only way to do so."""
    old, new = transition
    check_transition(old, new)
    changed = connection.execute(
        update(file)
        .where(file.c.state == old.value, *conditions)
        .values(state=new.value, reason=reason, **values)
        .returning(file)
    ).all()
    if changed:
        entry = {"at": now, "old_state": old.value, "new_state": new.value, "reason": reason}
        connection.execute(insert(history), [entry | {"file": row.id} for row in changed])
    return changed


def _held(claim: Claim) -> list[ColumnElement[bool]]:
    return [
        file.c.id == claim.file_id,
        file.c.claims == claim.number,
        file.c.state == FileState.ACTIVE.value,
    ]


def _begin_hop(connection: Connection, job_id: UUID, position: int, now: datetime) -> None:
    mine = [file.c.job == job_id, file.c.position == position]
    if _change(connection, mine, (FileState.NOT_USED, FileState.SUBMITTED), now, due_at=now):
        _notify(connection)


def _repeated(connection: Connection, fingerprint: str) -> UUID | None:
    """Return the unfinished job of an earlier submission of the same, and keep others from racing."""
    if not fingerprint:
        return None
    connection.execute(select(func.pg_advisory_xact_lock(_SUBMISSION_LOCKS, func.hashtext(fingerprint))))
    unfinished = exists().where(file.c.job == job.c.id, _UNFINISHED)
    return connection.scalar(
        select(job.c.id).where(job.c.fingerprint == fingerprint, unfinished).order_by(job.c.submitted_at)
    )


def _refuse_other_content(connection: Connection, request: JobRequest) -> None:
    known = connection.scalar(select(job.c.fingerprint).where(job.c.id == request.job_id))
    if known != request.fingerprint or not request.fingerprint:
        raise Conflict(
            f"the job {request.job_id} exists with other content",
            code="job-exists",
            next_step="submit under another id",
            job=request.job_id,
        )


def _jobs(connection: Connection, job_ids: Sequence[UUID]) -> list[TransferJob | None]:
    parents = {row.id: row for row in connection.execute(select(job).where(job.c.id.in_(job_ids)))}
    files: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    chosen = select(file).where(file.c.job.in_(job_ids)).order_by(file.c.job, file.c.position)
    for row in connection.execute(chosen):
        files[row.job].append(row)
    return [as_job(parents[job_id], files[job_id]) if job_id in parents else None for job_id in job_ids]


def _lanes(connection: Connection, storages: StorageNames, request: JobRequest) -> list[list[int]]:
    """Return, for each file, the number of the lane from each of its sources."""
    wanted = [storages.lanes(one.sources, one.destination, one.activity) for one in request.files]
    numbers = lane_numbers(connection, [lane for lanes in wanted for lane in lanes])
    return [[numbers[lane] for lane in lanes] for lanes in wanted]


def _notify(connection: Connection) -> None:
    connection.execute(select(func.pg_notify(CHANNEL, "")))
