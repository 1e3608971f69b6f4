"""Reading from the schema ``workload``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, func, select

from dpps.adapters.sql import work_tables as tables
from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.work_store_rows import (
    as_job,
    as_production,
    as_task,
    as_transformation,
    read_counts,
    read_lineage,
    read_unfinished,
)
from dpps.domain.errors import NotFound
from dpps.domain.work import JobState, TaskState, is_final
from dpps.workload.records import (
    AuditEntry,
    Counts,
    Job,
    LineageEntry,
    OutboxEntry,
    Production,
    Task,
    Transformation,
    UnfinishedWork,
)

__all__ = ["SqlWorkReader", "one", "select_jobs"]

_FINAL_TASKS = [state.value for state in TaskState if is_final(state)]


class SqlWorkReader:
    """The half of the work store that changes nothing.

    Parameters
    ----------
    engine : Engine
        Database ``dpps``, at the newest revision of its schema.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction; a database that is away is `Unavailable`."""
        with database_errors(), self._engine.begin() as connection:
            yield connection

    def productions(self) -> list[Production]:
        """Return every production, the newest first."""
        with self.transaction() as connection:
            rows = connection.execute(
                select(tables.production).order_by(tables.production.c.created_at.desc())
            )
            return [as_production(row) for row in rows]

    def production(self, name: str) -> Production:
        """Return one production."""
        with self.transaction() as connection:
            return as_production(one(connection, select(tables.production), "production", name))

    def transformations(self, production: str) -> list[Transformation]:
        """Return the transformations of a production in the order of its file."""
        column = tables.transformation.c
        with self.transaction() as connection:
            rows = connection.execute(
                select(tables.transformation).where(column.production == production).order_by(column.position)
            )
            return [as_transformation(row) for row in rows]

    def transformation(self, transformation: str) -> Transformation:
        """Return one transformation."""
        with self.transaction() as connection:
            return as_transformation(
                one(connection, select(tables.transformation), "transformation", transformation)
            )

    def tasks(self, transformation: str, states: Sequence[TaskState] = ()) -> list[Task]:
        """Return the tasks of a transformation by number; only those in the states, when given."""
        column = tables.task.c
        query = select(tables.task).where(column.transformation == transformation).order_by(column.number)
        if states:
            query = query.where(column.state.in_([state.value for state in states]))
        with self.transaction() as connection:
            return [as_task(row) for row in connection.execute(query)]

    def task(self, task: str) -> Task:
        """Return one task."""
        with self.transaction() as connection:
            return as_task(one(connection, select(tables.task), "task", task))

    def jobs(self, task: str) -> list[Job]:
        """Return the jobs of a task by attempt."""
        with self.transaction() as connection:
            rows = connection.execute(
                select_jobs().where(tables.job.c.task == task).order_by(tables.job.c.attempt)
            )
            return [as_job(row) for row in rows]

    def job(self, job: str) -> Job:
        """Return one job."""
        with self.transaction() as connection:
            return as_job(one(connection, select_jobs(), "job", job))

    def cancelled_jobs(self, among: Collection[str]) -> frozenset[str]:
        """Return those of some jobs whose tasks were cancelled."""
        if not among:
            return frozenset()
        job, task = tables.job.c, tables.task.c
        query = (
            select(job.id)
            .join(tables.task, task.id == job.task)
            .where(job.id.in_(among), task.state == TaskState.CANCELLED.value)
        )
        with self.transaction() as connection:
            return frozenset(connection.scalars(query))

    def unfinished(self, *, ready_limit: int) -> UnfinishedWork:
        """Return what is not finished; of the ready tasks the ``ready_limit`` most urgent."""
        with self.transaction() as connection:
            return read_unfinished(connection, ready_limit=ready_limit)

    def counts(self) -> Counts:
        """Return numbers for monitoring."""
        with self.transaction() as connection:
            return read_counts(connection)

    def audit(self, production: str) -> list[AuditEntry]:
        """Return every state change in a production, the oldest first."""
        column = tables.audit.c
        with self.transaction() as connection:
            rows = connection.execute(
                select(tables.audit).where(column.production == production).order_by(column.id)
            )
            return [
                AuditEntry(
                    subject=row.subject,
                    kind=row.kind,
                    before=row.before,
                    after=row.after,
                    reason=row.reason,
                    at=row.at,
                )
                for row in rows
            ]

    def lineage(self, production: str) -> list[LineageEntry]:
        """Return the published products of a production, by name."""
        with self.transaction() as connection:
            return read_lineage(connection, production)

    def outbox(self, due: datetime, *, limit: int) -> list[OutboxEntry]:
        """Return winners to publish whose time has come, the oldest first."""
        column = tables.outbox.c
        with self.transaction() as connection:
            rows = connection.execute(
                select(tables.outbox)
                .where(column.next_try_at <= due)
                .order_by(column.created_at, column.task)
                .limit(limit)
            )
            return [
                OutboxEntry(
                    task=row.task,
                    job=row.job,
                    attempts=row.attempts,
                    last_error=row.last_error,
                    next_try_at=row.next_try_at,
                )
                for row in rows
            ]

    def next_due(self) -> datetime | None:
        """Return when the next outbox entry is due, or None when the outbox is empty."""
        with self.transaction() as connection:
            due: datetime | None = connection.scalar(select(func.min(tables.outbox.c.next_try_at)))
            return due

    def to_clean(self, *, limit: int) -> list[Job]:
        """Return ended jobs whose temporary files are to be deleted."""
        job, task = tables.job.c, tables.task.c
        ended = job.state.in_([JobState.FAILED.value, JobState.SUCCEEDED.value]) | and_(
            job.state == JobState.LOST.value, task.state.in_(_FINAL_TASKS)
        )
        unpublished = tables.winner.c.job.is_(None) | task.state.in_(_FINAL_TASKS)
        query = (
            select_jobs()
            .join(tables.task, task.id == job.task)
            .where(~job.cleaned, ended, unpublished)
            .order_by(job.id)
            .limit(limit)
        )
        with self.transaction() as connection:
            return [as_job(row) for row in connection.execute(query)]


def select_jobs() -> Select[Any]:
    """Return the query for jobs with whether each has won."""
    won = tables.winner.c.job.is_not(None).label("won")
    return select(tables.job, won).outerjoin(tables.winner, tables.winner.c.job == tables.job.c.id)


def one(connection: Connection, query: Select[Any], kind: str, name: str) -> Any:
    """Return the one row of this id, or raise `NotFound`."""
    table = tables.metadata.tables[f"{tables.SCHEMA}.{kind}"]
    row = connection.execute(query.where(table.c.id == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no {kind} {name!r}", next_step="run: dpps production list", name=name)
    return row
