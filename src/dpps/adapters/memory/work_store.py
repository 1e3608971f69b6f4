"""The work store in memory: for tests and trials; gone when the process ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from dpps.adapters.memory.work_reader import MemoryWorkReader
from dpps.domain.errors import Conflict
from dpps.domain.work import (
    ExitReason,
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
    WorkState,
    check_transition,
    is_final,
)
from dpps.workload.bundle import JobReport
from dpps.workload.definition import ProductionDefinition
from dpps.workload.records import (
    LIVE_JOBS,
    PRODUCT_PROMISED,
    UNDECIDED_TASKS,
    UNFINISHED_TRANSFORMATIONS,
    AuditEntry,
    Job,
    LineageEntry,
    NewTask,
    OutboxEntry,
    Production,
    Task,
    TaskInputs,
    Transformation,
    check_open,
    product_taken,
)

__all__ = ["MemoryWorkStore"]


class MemoryWorkStore(MemoryWorkReader):
    """Productions, transformations, tasks and jobs as dictionaries of records under one lock."""

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
        with self._lock:
            if name in self._productions:
                raise Conflict(
                    f"there is a production {name!r} already",
                    code="production-exists",
                    next_step=f"look at it: dpps production status {name}; or submit under another name",
                    production=name,
                )
            for step_name, new in tasks.items():
                self._check_promises(f"{name}.{step_name}", new)
            self._productions[name] = Production(
                name=name,
                state=ProductionState.ACTIVE,
                reason="",
                priority=definition.priority,
                submitter=submitter,
                created_at=at,
            )
            self._note("production", name, "", "active", f"by {submitter}", at)
            for position, step in enumerate(definition.transformations):
                identifier = f"{name}.{step.name}"
                self._transformations[identifier] = Transformation(
                    id=identifier,
                    production=name,
                    name=step.name,
                    position=position,
                    state=TransformationState.OPEN,
                    reason="",
                    definition=step,
                    fixed_inputs=fixed_inputs.get(step.name, {}),
                )
                self.add_tasks(identifier, tasks.get(step.name, ()), at)

    def add_tasks(self, transformation: str, tasks: Sequence[NewTask], at: datetime) -> list[str]:
        """Make tasks; one whose driving inputs were taken before is left out. Return the new ids."""
        made: list[str] = []
        with self._lock:
            check_open(transformation, self.transformation(transformation).state)
            self._check_promises(transformation, tasks)
            number = max((known.number for known in self.tasks(transformation)), default=0)
            for new in tasks:
                driving = [(transformation, lfn) for lfn in new.driving]
                if any(key in self._taken for key in driving):
                    continue
                number += 1
                name = f"{transformation}.{number}"
                self._taken.update(dict.fromkeys(driving, name))
                self._promised.update(dict.fromkeys(new.outputs, name))
                self._tasks[name] = Task(
                    id=name,
                    transformation=transformation,
                    number=number,
                    state=TaskState.READY,
                    reason="",
                    inputs={key: tuple(lfns) for key, lfns in new.inputs.items()},
                )
                self._note("task", name, "", "ready", "inputs are there", at)
                made.append(name)
        return made

    def _check_promises(self, transformation: str, tasks: Sequence[NewTask]) -> None:
        for new in tasks:
            if any((transformation, lfn) in self._taken for lfn in new.driving):
                continue
            for lfn in new.outputs:
                if lfn in self._promised:
                    raise product_taken(lfn, self._promised[lfn], code=PRODUCT_PROMISED)

    def set_transformation(
        self, transformation: str, state: TransformationState, *, reason: str, at: datetime
    ) -> None:
        """Change the state of a transformation."""
        with self._lock:
            known = self.transformation(transformation)
            self._check("transformation", transformation, known.state, state, reason, at)
            self._transformations[transformation] = replace(known, state=state, reason=reason)

    def set_production(self, production: str, state: ProductionState, *, reason: str, at: datetime) -> None:
        """Change the state of a production; a final state notes the time."""
        with self._lock:
            known = self.production(production)
            self._check("production", production, known.state, state, reason, at)
            finished_at = at if is_final(state) else None
            self._productions[production] = replace(
                known, state=state, reason=reason, finished_at=finished_at
            )

    def set_task(self, task: str, state: TaskState, *, reason: str, at: datetime) -> None:
        """Change the state of a task."""
        with self._lock:
            known = self.task(task)
            self._check("task", task, known.state, state, reason, at)
            self._tasks[task] = replace(known, state=state, reason=reason)
            if state in (TaskState.FAILED, TaskState.CANCELLED):
                self._promised = {lfn: by for lfn, by in self._promised.items() if by != task}

    def cancel(self, production: str, *, reason: str, at: datetime) -> bool:
        """End a production early; return False, and change nothing, when it was cancelled before."""
        with self._lock:
            if self.production(production).state is ProductionState.CANCELLED:
                return False
            self.set_production(production, ProductionState.CANCELLED, reason=reason, at=at)
            for step in self.transformations(production):
                if step.state in UNFINISHED_TRANSFORMATIONS:
                    self.set_transformation(step.id, TransformationState.CANCELLED, reason=reason, at=at)
                for task in self.tasks(step.id, UNDECIDED_TASKS):
                    self.set_task(task.id, TaskState.CANCELLED, reason=reason, at=at)
                    self._end_jobs(task.id, reason, at)
            return True

    def _end_jobs(self, task: str, reason: str, at: datetime) -> None:
        for job in self.jobs(task):
            if job.state in LIVE_JOBS:
                self.set_job(job.id, JobState.FAILED, at=at, exit_reason=ExitReason.KILLED, detail=reason)

    def start_attempt(self, task: str, at: datetime) -> Job:
        """Make the next job of a ready task, which is running from now on."""
        with self._lock:
            self.set_task(task, TaskState.RUNNING, reason="a job was made", at=at)
            attempt = len(self.jobs(task)) + 1
            job = Job(
                id=f"{task}.{attempt}",
                task=task,
                attempt=attempt,
                state=JobState.CREATED,
                exit_reason=None,
                detail="",
                created_at=at,
                started_at=None,
                finished_at=None,
                report=None,
            )
            self._jobs[job.id] = job
            self._note("job", job.id, "", "created", "", at)
            return job

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
        with self._lock:
            known = self._one("job", self._jobs, job)
            self._check("job", job, known.state, state, detail, at)
            changed = replace(known, state=state, report=report or known.report)
            if state is JobState.RUNNING:
                changed = replace(changed, started_at=at)
            if state in (JobState.LOST, JobState.FAILED):
                changed = replace(changed, finished_at=at, detail=detail, exit_reason=exit_reason)
            self._jobs[job] = changed

    def succeed(self, job: str, report: JobReport, at: datetime) -> bool:
        """Record a job's success and elect it, unless another job of its task was elected."""
        with self._lock:
            known = self._one("job", self._jobs, job)
            task = self.task(known.task)
            if known.state is JobState.SUCCEEDED:
                return self._winners.get(task.id) == job
            self._check("job", job, known.state, JobState.SUCCEEDED, "reported", at)
            self._jobs[job] = replace(
                known,
                state=JobState.SUCCEEDED,
                finished_at=at,
                exit_reason=report.exit_reason,
                detail=report.detail,
                report=report,
                cleaned=False,
            )
            if task.state not in (TaskState.READY, TaskState.RUNNING) or task.id in self._winners:
                return False
            self._winners[task.id] = job
            self.set_task(task.id, TaskState.PUBLISHING, reason=f"{job} has won", at=at)
            entry = OutboxEntry(task=task.id, job=job, attempts=0, last_error="", next_try_at=at)
            self._outbox[task.id] = (at, entry)
            return True

    def postpone(self, task: str, *, error: str, next_try_at: datetime) -> None:
        """Note that publishing failed for now."""
        with self._lock:
            created, entry = self._outbox[task]
            later = replace(entry, attempts=entry.attempts + 1, last_error=error, next_try_at=next_try_at)
            self._outbox[task] = (created, later)

    def published(self, task: str, products: Sequence[LineageEntry], at: datetime) -> None:
        """Record that a winner's products are in the archive: task done, lineage kept, outbox emptied."""
        with self._lock:
            for entry in products:
                if entry.lfn in self._products:
                    raise product_taken(entry.lfn, self._products[entry.lfn].task, code="product-published")
            self.set_task(task, TaskState.DONE, reason="", at=at)
            self._products.update({entry.lfn: entry for entry in products})
            self._outbox.pop(task, None)

    def give_up_publishing(self, task: str, *, reason: str, at: datetime) -> None:
        """Record that a winner's products cannot enter the archive: task failed, outbox emptied."""
        with self._lock:
            self.set_task(task, TaskState.FAILED, reason=reason, at=at)
            self._outbox.pop(task, None)

    def cleaned(self, job: str) -> None:
        """Note that a job's temporary files are gone."""
        with self._lock:
            self._jobs[job] = replace(self._jobs[job], cleaned=True)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` soon after anyone changes the store; return the function that ends this."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake)

    def _check(
        self, kind: str, subject: str, before: WorkState, after: WorkState, reason: str, at: datetime
    ) -> None:
        check_transition(f"{kind} {subject}", before, after)
        self._note(kind, subject, before.value, after.value, reason, at)

    def _note(self, kind: str, subject: str, before: str, after: str, reason: str, at: datetime) -> None:
        entry = AuditEntry(subject=subject, kind=kind, before=before, after=after, reason=reason, at=at)
        self._audit.append(entry)
        for wake in self._listeners:
            wake()
