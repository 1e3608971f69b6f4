"""Rows of the workload schema as records, and the one reading that decisions are made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from dpps.adapters.sql import work_tables as tables
from dpps.domain.work import (
    ExitReason,
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
)
from dpps.workload.bundle import JobReport
from dpps.workload.definition import TransformationDefinition
from dpps.workload.records import (
    UNFINISHED_TRANSFORMATIONS,
    Counts,
    Job,
    LineageEntry,
    Production,
    Task,
    TaskInputs,
    Transformation,
    UnfinishedTask,
    UnfinishedTransformation,
    UnfinishedWork,
)
from dpps.workload.summaries import summarize_attempts

__all__ = [
    "as_job",
    "as_production",
    "as_task",
    "as_transformation",
    "read_counts",
    "read_lineage",
    "read_unfinished",
]

_UNFINISHED = [state.value for state in UNFINISHED_TRANSFORMATIONS]


def as_production(row: Row[Any]) -> Production:
    """Return the record of a row of ``production``."""
    return Production(
        name=row.id,
        state=ProductionState(row.state),
        reason=row.reason,
        priority=row.priority,
        submitter=row.submitter,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def as_inputs(stored: Mapping[str, list[str]]) -> TaskInputs:
    """Return inputs as they were before JSON."""
    return {name: tuple(lfns) for name, lfns in stored.items()}


def as_transformation(row: Row[Any]) -> Transformation:
    """Return the record of a row of ``transformation``."""
    return Transformation(
        id=row.id,
        production=row.production,
        name=row.name,
        position=row.position,
        state=TransformationState(row.state),
        reason=row.reason,
        definition=TransformationDefinition.model_validate(row.definition),
        fixed_inputs=as_inputs(row.fixed_inputs),
    )


def as_task(row: Row[Any]) -> Task:
    """Return the record of a row of ``task``."""
    return Task(
        id=row.id,
        transformation=row.transformation,
        number=row.number,
        state=TaskState(row.state),
        reason=row.reason,
        inputs=as_inputs(row.inputs),
    )


def as_job(row: Row[Any]) -> Job:
    """Return the record of a row of ``job`` joined with ``winner`` (column ``won``)."""
    return Job(
        id=row.id,
        task=row.task,
        attempt=row.attempt,
        state=JobState(row.state),
        exit_reason=None if row.exit_reason is None else ExitReason(row.exit_reason),
        detail=row.detail,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        report=None if row.report is None else JobReport.model_validate(row.report),
        won=row.won,
        cleaned=row.cleaned,
    )


def read_unfinished(connection: Connection, *, ready_limit: int) -> UnfinishedWork:
    """Read everything that decisions need, within the caller's transaction."""
    rows = connection.execute(
        select(tables.transformation)
        .join(tables.production, tables.production.c.id == tables.transformation.c.production)
        .where(tables.production.c.state == ProductionState.ACTIVE.value)
        .order_by(tables.production.c.created_at, tables.transformation.c.position)
    ).all()
    productions: dict[str, tuple[TransformationState, ...]] = {}
    states: dict[str, TransformationState] = {}
    for row in rows:
        state = states[row.id] = TransformationState(row.state)
        productions[row.production] = (*productions.get(row.production, ()), state)
    open_rows = [row for row in rows if row.state in _UNFINISHED]
    counts = _task_counts(connection, [row.id for row in open_rows])
    return UnfinishedWork(
        productions=productions,
        transformations=tuple(
            _unfinished_transformation(connection, as_transformation(row), states, counts[row.id])
            for row in open_rows
        ),
        tasks=_unfinished_tasks(connection, ready_limit),
    )


def _task_counts(connection: Connection, ids: list[str]) -> defaultdict[str, dict[TaskState, int]]:
    counts: defaultdict[str, dict[TaskState, int]] = defaultdict(dict)
    task = tables.task.c
    for row in connection.execute(
        select(task.transformation, task.state, func.count().label("number"))
        .where(task.transformation.in_(ids))
        .group_by(task.transformation, task.state)
    ):
        counts[row.transformation][TaskState(row.state)] = row.number
    return counts


def _unfinished_transformation(
    connection: Connection,
    known: Transformation,
    states: Mapping[str, TransformationState],
    counts: Mapping[TaskState, int],
) -> UnfinishedTransformation:
    available = {}
    if known.state is TransformationState.OPEN:
        for name, given in known.definition.inputs.items():
            if given.source:
                upstream, output = given.source.split(".")
                available[name] = _available(
                    connection,
                    known.id,
                    name,
                    source=f"{known.production}.{upstream}",
                    output=output,
                    untaken=name == known.definition.driver,
                )
    return UnfinishedTransformation(
        id=known.id,
        production=known.production,
        state=known.state,
        definition=known.definition,
        fixed_inputs=known.fixed_inputs,
        sources={name: states[f"{known.production}.{name}"] for name in known.definition.sources},
        available=available,
        tasks=counts,
    )


def _available(
    connection: Connection, transformation: str, name: str, *, source: str, output: str, untaken: bool
) -> tuple[str, ...]:
    product, taken = tables.product.c, tables.task_input.c
    query = select(product.lfn).where(product.transformation == source, product.output == output)
    if untaken:
        query = query.outerjoin(
            tables.task_input,
            and_(taken.transformation == transformation, taken.input == name, taken.lfn == product.lfn),
        ).where(taken.lfn.is_(None))
    return tuple(connection.scalars(query.order_by(product.lfn)))


def _unfinished_tasks(connection: Connection, ready_limit: int) -> tuple[UnfinishedTask, ...]:
    task = tables.task.c
    columns = select(task.id, task.transformation, task.priority, task.state)
    running = connection.execute(
        columns.where(task.state == TaskState.RUNNING.value).order_by(task.transformation, task.number)
    ).all()
    ready = connection.execute(
        columns.where(task.state == TaskState.READY.value)
        .order_by(task.priority.desc(), task.transformation, task.number)
        .limit(ready_limit)
    ).all()
    jobs = _jobs_by_task(connection, [row.id for row in (*running, *ready)])
    return tuple(
        UnfinishedTask(
            id=row.id,
            transformation=row.transformation,
            priority=row.priority,
            state=TaskState(row.state),
            attempts=summarize_attempts(jobs[row.id]),
        )
        for row in (*running, *ready)
    )


def _jobs_by_task(
    connection: Connection, tasks: Iterable[str]
) -> defaultdict[str, list[tuple[str, JobState, ExitReason | None, str, Any]]]:
    jobs: defaultdict[str, list[tuple[str, JobState, ExitReason | None, str, Any]]] = defaultdict(list)
    job = tables.job.c
    for row in connection.execute(
        select(job.id, job.task, job.state, job.exit_reason, job.detail, job.finished_at)
        .where(job.task.in_(list(tasks)))
        .order_by(job.task, job.attempt)
    ):
        reason = None if row.exit_reason is None else ExitReason(row.exit_reason)
        jobs[row.task].append((row.id, JobState(row.state), reason, row.detail, row.finished_at))
    return jobs


def read_counts(connection: Connection) -> Counts:
    """Read the numbers for monitoring."""

    def by(column: Any) -> dict[str, int]:
        rows = connection.execute(select(column, func.count()).where(column.is_not(None)).group_by(column))
        return {str(value): number for value, number in rows}

    length, oldest = connection.execute(select(func.count(), func.min(tables.outbox.c.created_at))).one()
    return Counts(
        productions=by(tables.production.c.state),
        tasks=by(tables.task.c.state),
        jobs=by(tables.job.c.state),
        exit_reasons=by(tables.job.c.exit_reason),
        outbox=length,
        outbox_oldest_at=oldest,
    )


def read_lineage(connection: Connection, production: str) -> list[LineageEntry]:
    """Read the products of a production with their inputs, by name."""
    product, lineage = tables.product.c, tables.lineage.c
    rows = connection.execute(
        select(tables.product)
        .join(tables.transformation, tables.transformation.c.id == product.transformation)
        .where(tables.transformation.c.production == production)
        .order_by(product.lfn)
    ).all()
    inputs: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute(
        select(tables.lineage)
        .where(lineage.output_lfn.in_([row.lfn for row in rows]))
        .order_by(lineage.input_lfn)
    ):
        inputs[row.output_lfn].append(row.input_lfn)
    return [
        LineageEntry(
            lfn=row.lfn,
            output=row.output,
            inputs=tuple(inputs[row.lfn]),
            task=row.task,
            job=row.job,
            activity=row.activity,
        )
        for row in rows
    ]
