"""Ending a production early, in the schema ``workload``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, select

from dpps.adapters.sql import work_tables as tables
from dpps.adapters.sql.work_store_changing import change_all, locked
from dpps.domain.work import (
    ExitReason,
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
)
from dpps.workload.records import LIVE_JOBS, UNDECIDED_TASKS, UNFINISHED_TRANSFORMATIONS

__all__ = ["cancel_production"]


def cancel_production(connection: Connection, name: str, *, reason: str, at: datetime) -> bool:
    """Cancel a production with what is not finished of it; return False when that was done before."""
    production = locked(connection, "production", name)
    if production.state == ProductionState.CANCELLED.value:
        return False
    change_all(
        connection,
        "production",
        [production],
        ProductionState.CANCELLED,
        reason=reason,
        at=at,
        finished_at=at,
    )
    step, task, job = tables.transformation, tables.task, tables.job
    steps = _locked_rows(
        connection,
        step,
        step.c.production == name,
        step.c.state.in_([state.value for state in UNFINISHED_TRANSFORMATIONS]),
    )
    change_all(connection, "transformation", steps, TransformationState.CANCELLED, reason=reason, at=at)
    of_production = select(step.c.id).where(step.c.production == name)
    tasks = _locked_rows(
        connection,
        task,
        task.c.transformation.in_(of_production),
        task.c.state.in_([state.value for state in UNDECIDED_TASKS]),
    )
    change_all(connection, "task", tasks, TaskState.CANCELLED, reason=reason, at=at)
    cancelled = select(task.c.id).where(
        task.c.transformation.in_(of_production), task.c.state == TaskState.CANCELLED.value
    )
    jobs = _locked_rows(
        connection,
        job,
        job.c.task.in_(cancelled),
        job.c.state.in_([state.value for state in LIVE_JOBS]),
    )
    change_all(
        connection,
        "job",
        jobs,
        JobState.FAILED,
        reason=reason,
        at=at,
        exit_reason=ExitReason.KILLED.value,
        detail=reason,
        finished_at=at,
    )
    connection.execute(delete(tables.promise).where(tables.promise.c.task.in_(cancelled)))
    return True


def _locked_rows(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> list[Row[Any]]:
    """Return rows that nobody else can change until the transaction ends."""
    query = select(table.c.id, table.c.state).where(*conditions).order_by(table.c.id)
    return list(connection.execute(query.with_for_update()))
