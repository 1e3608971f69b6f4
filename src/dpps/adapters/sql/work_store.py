"""The work store on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from dpps.adapters.sql import work_tables as tables
from dpps.adapters.sql.work_cancelling import cancel_production
from dpps.adapters.sql.work_store_changing import change, locked, note
from dpps.adapters.sql.work_store_listening import listen
from dpps.adapters.sql.work_store_reader import SqlWorkReader, one, select_jobs
from dpps.adapters.sql.work_store_rows import as_job
from dpps.domain.errors import Conflict
from dpps.domain.work import (
    ExitReason,
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
    is_final,
)
from dpps.workload.bundle import JobReport
from dpps.workload.definition import ProductionDefinition
from dpps.workload.records import (
    PRODUCT_PROMISED,
    Job,
    LineageEntry,
    NewTask,
    TaskInputs,
    check_open,
    product_taken,
)

__all__ = ["SqlWorkStore"]


class SqlWorkStore(SqlWorkReader):
    """Productions, transformations, tasks and jobs in the schema ``workload``."""

    def create(
        self,
        definition: ProductionDefinition,
        *,
        submitter: str,
        at: datetime,
        fixed_inputs: Mapping[str, TaskInputs],
        tasks: Mapping[str, Sequence[NewTask]],
    ) -> None:
        """Keep a new production with the tasks that are known now, whole or not at all."""
        name = definition.production
        with self.transaction() as connection:
            made = connection.execute(
                postgresql_insert(tables.production)
                .values(
                    id=name,
                    state=ProductionState.ACTIVE.value,
                    reason="",
                    priority=definition.priority,
                    submitter=submitter,
                    created_at=at,
                )
                .on_conflict_do_nothing()
                .returning(tables.production.c.id)
            ).one_or_none()
            if made is None:
                raise Conflict(
                    f"there is a production {name!r} already",
                    code="production-exists",
                    next_step=f"look at it: dpps production status {name}; or submit under another name",
                    production=name,
                )
            note(connection, "production", name, before="", after="active", reason=f"by {submitter}", at=at)
            for position, step in enumerate(definition.transformations):
                connection.execute(
                    insert(tables.transformation).values(
                        id=f"{name}.{step.name}",
                        production=name,
                        name=step.name,
                        position=position,
                        state=TransformationState.OPEN.value,
                        reason="",
                        definition=step.model_dump(mode="json", by_alias=True),
                        fixed_inputs=_plain(fixed_inputs.get(step.name, {})),
                        driver=step.driver or "",
                    )
                )
                self._add_tasks(connection, f"{name}.{step.name}", tasks.get(step.name, ()), at)

    def add_tasks(self, transformation: str, tasks: Sequence[NewTask], at: datetime) -> list[str]:
        """Make tasks; one whose driving inputs were taken before is left out. Return the new ids."""
        with self.transaction() as connection:
            return self._add_tasks(connection, transformation, tasks, at)

    @staticmethod
    def _add_tasks(
        connection: Connection, transformation: str, new_tasks: Sequence[NewTask], at: datetime
    ) -> list[str]:
        step = locked(connection, "transformation", transformation)
        check_open(transformation, TransformationState(step.state))
        priority = connection.scalar(
            select(tables.production.c.priority).where(tables.production.c.id == step.production)
        )
        taken = (
            set(
                connection.scalars(
                    select(tables.task_input.c.lfn).where(
                        tables.task_input.c.transformation == transformation
                    )
                )
            )
            if new_tasks
            else set()
        )
        number = connection.scalar(
            select(func.coalesce(func.max(tables.task.c.number), 0)).where(
                tables.task.c.transformation == transformation
            )
        )
        made: list[str] = []
        for new in new_tasks:
            driving = set(new.driving)
            if driving & taken:
                continue
            taken |= driving
            number = (number or 0) + 1
            name = f"{transformation}.{number}"
            connection.execute(
                insert(tables.task).values(
                    id=name,
                    transformation=transformation,
                    number=number,
                    priority=priority,
                    state=TaskState.READY.value,
                    reason="",
                    inputs=_plain(new.inputs),
                )
            )
            if driving:
                connection.execute(
                    insert(tables.task_input),
                    [
                        {"transformation": transformation, "input": new.driver, "lfn": lfn, "task": name}
                        for lfn in sorted(driving)
                    ],
                )
            for lfn in new.outputs:
                _claim_product(connection, tables.promise, {"lfn": lfn, "task": name}, PRODUCT_PROMISED)
            note(connection, "task", name, before="", after="ready", reason="inputs are there", at=at)
            made.append(name)
        return made

    def set_transformation(
        self, transformation: str, state: TransformationState, *, reason: str, at: datetime
    ) -> None:
        """Change the state of a transformation."""
        with self.transaction() as connection:
            change(connection, "transformation", transformation, state, reason=reason, at=at)

    def set_production(self, production: str, state: ProductionState, *, reason: str, at: datetime) -> None:
        """Change the state of a production; a final state notes the time."""
        with self.transaction() as connection:
            finished_at = at if is_final(state) else None
            change(connection, "production", production, state, reason=reason, at=at, finished_at=finished_at)

    def set_task(self, task: str, state: TaskState, *, reason: str, at: datetime) -> None:
        """Change the state of a task."""
        with self.transaction() as connection:
            change(connection, "task", task, state, reason=reason, at=at)
            if state in (TaskState.FAILED, TaskState.CANCELLED):
                _withdraw_promises(connection, task)

    def cancel(self, production: str, *, reason: str, at: datetime) -> bool:
        """End a production early; return False, and change nothing, when it was cancelled before."""
        with self.transaction() as connection:
            return cancel_production(connection, production, reason=reason, at=at)

    def start_attempt(self, task: str, at: datetime) -> Job:
        """Make the next job of a ready task, which is running from now on."""
        with self.transaction() as connection:
            change(connection, "task", task, TaskState.RUNNING, reason="a job was made", at=at)
            last = connection.scalar(
                select(func.coalesce(func.max(tables.job.c.attempt), 0)).where(tables.job.c.task == task)
            )
            attempt = (last or 0) + 1
            name = f"{task}.{attempt}"
            connection.execute(
                insert(tables.job).values(
                    id=name,
                    task=task,
                    attempt=attempt,
                    state=JobState.CREATED.value,
                    detail="",
                    created_at=at,
                )
            )
            note(connection, "job", name, before="", after="created", reason="", at=at)
            return as_job(one(connection, select_jobs(), "job", name))

    def set_job(
        self,
        job: str,
        state: JobState,
        *,
        at: datetime,
        exit_reason: ExitReason | None = None,
        detail: str = "",
        report: JobReport | None = None,
    ) -> None:
        """Change the state of a job (not to succeeded: see `succeed`)."""
        values: dict[str, Any] = {}
        if state is JobState.RUNNING:
            values["started_at"] = at
        if state in (JobState.LOST, JobState.FAILED):
            values.update(
                finished_at=at, detail=detail, exit_reason=None if exit_reason is None else exit_reason.value
            )
        if report is not None:
            values["report"] = report.model_dump(mode="json")
        with self.transaction() as connection:
            change(connection, "job", job, state, reason=detail, at=at, **values)

    def succeed(self, job: str, report: JobReport, at: datetime) -> bool:
        """Record a job's success and elect it, unless another job of its task was elected."""
        with self.transaction() as connection:
            task = locked(connection, "task", _task_of(connection, job))
            if locked(connection, "job", job).state == JobState.SUCCEEDED.value:
                return _winner(connection, task.id) == job
            change(
                connection,
                "job",
                job,
                JobState.SUCCEEDED,
                reason="reported",
                at=at,
                finished_at=at,
                exit_reason=report.exit_reason.value,
                detail=report.detail,
                report=report.model_dump(mode="json"),
                cleaned=False,
            )
            if task.state not in (TaskState.READY.value, TaskState.RUNNING.value):
                return False
            elected = connection.execute(
                postgresql_insert(tables.winner)
                .values(task=task.id, job=job, elected_at=at)
                .on_conflict_do_nothing()
                .returning(tables.winner.c.job)
            ).one_or_none()
            if elected is None:
                return False
            change(connection, "task", task.id, TaskState.PUBLISHING, reason=f"{job} has won", at=at)
            connection.execute(
                insert(tables.outbox).values(
                    task=task.id, job=job, attempts=0, last_error="", created_at=at, next_try_at=at
                )
            )
            return True

    def postpone(self, task: str, *, error: str, next_try_at: datetime) -> None:
        """Note that publishing failed for now."""
        column = tables.outbox.c
        with self.transaction() as connection:
            connection.execute(
                update(tables.outbox)
                .where(column.task == task)
                .values(attempts=column.attempts + 1, last_error=error, next_try_at=next_try_at)
            )

    def published(self, task: str, products: Sequence[LineageEntry], at: datetime) -> None:
        """Record that a winner's products are in the archive: task done, lineage kept, outbox emptied."""
        with self.transaction() as connection:
            row = locked(connection, "task", task)
            change(connection, "task", task, TaskState.DONE, reason="", at=at)
            for entry in products:
                values = {
                    "lfn": entry.lfn,
                    "transformation": row.transformation,
                    "output": entry.output,
                    "task": entry.task,
                    "job": entry.job,
                    "activity": dict(entry.activity),
                    "published_at": at,
                }
                _claim_product(connection, tables.product, values, "product-published")
                for source in entry.inputs:
                    connection.execute(insert(tables.lineage).values(output_lfn=entry.lfn, input_lfn=source))
            connection.execute(delete(tables.outbox).where(tables.outbox.c.task == task))

    def give_up_publishing(self, task: str, *, reason: str, at: datetime) -> None:
        """Record that a winner's products cannot enter the archive: task failed, outbox emptied."""
        with self.transaction() as connection:
            change(connection, "task", task, TaskState.FAILED, reason=reason, at=at)
            _withdraw_promises(connection, task)
            connection.execute(delete(tables.outbox).where(tables.outbox.c.task == task))

    def cleaned(self, job: str) -> None:
        """Note that a job's temporary files are gone."""
        with self.transaction() as connection:
            connection.execute(update(tables.job).where(tables.job.c.id == job).values(cleaned=True))

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` soon after anyone changes the store; return the function that ends this."""
        return listen(self._engine, wake)


def _plain(inputs: TaskInputs) -> dict[str, list[str]]:
    return {name: list(lfns) for name, lfns in inputs.items()}


def _claim_product(connection: Connection, table: Table, values: Mapping[str, Any], code: str) -> None:
    """Insert a row whose key is a product, unless another task has it.

    Raises
    ------
    Conflict
        When another task has it.
    """
    new = postgresql_insert(table).values(**values).on_conflict_do_nothing().returning(table.c.lfn)
    if connection.execute(new).one_or_none() is None:
        lfn = values["lfn"]
        owner = connection.scalar(select(table.c.task).where(table.c.lfn == lfn))
        raise product_taken(lfn, str(owner), code=code)


def _withdraw_promises(connection: Connection, task: str) -> None:
    connection.execute(delete(tables.promise).where(tables.promise.c.task == task))


def _task_of(connection: Connection, job: str) -> str:
    task: str = one(connection, select(tables.job), "job", job).task
    return task


def _winner(connection: Connection, task: str) -> str | None:
    return connection.scalar(select(tables.winner.c.job).where(tables.winner.c.task == task))
