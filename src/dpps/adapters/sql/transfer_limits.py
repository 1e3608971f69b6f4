"""Limits and history of transfers in PostgreSQL, beside the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, func, select, text, update

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.transfer_claims import lanes_of_storage, read_breakers
from dpps.adapters.sql.transfer_session import CHANNEL
from dpps.adapters.sql.transfer_tables import attempt, file, job, lane, limits
from dpps.data.transfers.breaker import Breaker
from dpps.data.transfers.history import Attempt, JobFilter, LinkActivity
from dpps.data.transfers.lanes import Lane
from dpps.data.transfers.limits import TransferLimits
from dpps.data.transfers.states import FileState

__all__ = ["SqlTransferHistory", "SqlTransferLimits"]


class SqlTransferLimits:
    """Implements ``LimitsStore``: one document, changed under a lock on its row.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of a migrated database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def limits(self) -> TransferLimits:
        """Return what is set."""
        with _transaction(self._engine) as connection:
            return TransferLimits.model_validate(connection.scalar(select(limits.c.document)))

    def change_limits(self, change: Callable[[TransferLimits], TransferLimits]) -> TransferLimits:
        """Replace what is set by what ``change`` makes of it, and wake the workers."""
        with _transaction(self._engine) as connection:
            known = connection.scalar(select(limits.c.document).with_for_update())
            changed = change(TransferLimits.model_validate(known))
            connection.execute(update(limits).values(document=changed.model_dump(mode="json")))
            connection.execute(select(func.pg_notify(CHANNEL, "")))
            return changed


_LINKS: Final = text(
    "SELECT l.source, l.destination, coalesce(sum(q.queued), 0) AS queued,"
    " coalesce(sum(q.active), 0) AS active, coalesce(sum(a.finished), 0) AS finished,"
    " coalesce(sum(a.failed), 0) AS failed, coalesce(sum(a.size_bytes), 0) AS size_bytes"
    " FROM transfers.lane l"
    " LEFT JOIN (SELECT lane, count(*) FILTER (WHERE state = 'SUBMITTED') AS queued,"
    "  count(*) FILTER (WHERE state = 'ACTIVE') AS active FROM transfers.file"
    "  WHERE state IN ('SUBMITTED', 'ACTIVE') GROUP BY lane) q ON q.lane = l.id"
    " LEFT JOIN (SELECT lane, count(*) FILTER (WHERE outcome = 'FINISHED') AS finished,"
    "  count(*) FILTER (WHERE failure <> '') AS failed, sum(size_bytes) AS size_bytes"
    "  FROM transfers.attempt WHERE finished_at >= :since GROUP BY lane) a ON a.lane = l.id"
    " WHERE q.lane IS NOT NULL OR a.lane IS NOT NULL"
    " GROUP BY l.source, l.destination ORDER BY l.source, l.destination"
)


class SqlTransferHistory:
    """Implements ``TransferHistory``.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of a migrated database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def attempts(
        self,
        *,
        file_id: int | None = None,
        name: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Attempt]:
        """Return the last attempts, the newest first."""
        named = file.c.metadata["name"].astext
        query = (
            select(attempt, file.c.job, file.c.destination, named.label("name"))
            .add_columns(lane.c.source.label("from_storage"), lane.c.destination.label("to_storage"))
            .add_columns(lane.c.activity)
            .join(file, file.c.id == attempt.c.file)
            .join(lane, lane.c.id == attempt.c.lane)
            .order_by(attempt.c.finished_at.desc(), attempt.c.id.desc())
            .limit(limit)
        )
        if file_id is not None:
            query = query.where(attempt.c.file == file_id)
        if name is not None:
            query = query.where(named == name)
        if since is not None:
            query = query.where(attempt.c.finished_at >= since)
        with _transaction(self._engine) as connection:
            return [_attempt(row) for row in connection.execute(query)]

    def links(self, since: datetime) -> list[LinkActivity]:
        """Return every link with something that waits or moves now, or ended since then."""
        with _transaction(self._engine) as connection:
            return [
                LinkActivity(
                    source=row.source,
                    destination=row.destination,
                    queued=int(row.queued),
                    active=int(row.active),
                    finished=int(row.finished),
                    failed=int(row.failed),
                    size_bytes=int(row.size_bytes),
                )
                for row in connection.execute(_LINKS, {"since": since})
            ]

    def job_ids(self, wanted: JobFilter) -> list[UUID]:
        """Return jobs that have a file of the kind asked for, the newest first."""
        states = wanted.states or (FileState.SUBMITTED, FileState.ACTIVE)
        having = select(file.c.job).where(
            file.c.job == job.c.id, file.c.state.in_([state.value for state in states])
        )
        query = select(job.c.id).order_by(job.c.submitted_at.desc(), job.c.id).limit(wanted.limit)
        if wanted.submitted_after is not None:
            query = query.where(job.c.submitted_at >= wanted.submitted_after)
        with _transaction(self._engine) as connection:
            for storage, column in ((wanted.source, "source"), (wanted.destination, "destination")):
                if storage is not None:
                    having = having.where(file.c.lane.in_(lanes_of_storage(connection, storage, (column,))))
            return list(connection.scalars(query.where(having.exists())))

    def breakers(self) -> list[Breaker]:
        """Return the storages that failed lately, by name."""
        with _transaction(self._engine) as connection:
            found = read_breakers(connection)
        return [found[storage] for storage in sorted(found)]


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        job_id=row.job,
        file_id=row.file,
        number=row.number,
        name=row.name or "",
        lane=Lane(source=row.from_storage, destination=row.to_storage, activity=row.activity),
        source=row.source,
        destination=row.destination,
        started_at=row.started_at,
        finished_at=row.finished_at,
        size_bytes=row.size_bytes,
        outcome=FileState(row.outcome),
        failure=row.failure,
        reason=row.reason,
    )


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with database_errors(), engine.begin() as connection:
        yield connection
