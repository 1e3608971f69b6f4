"""The work store in memory: for tests and trials; gone when the process ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from dpps.adapters.memory.work_unfinished import unfinished_work
from dpps.domain.errors import Conflict, NotFound
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
    PRODUCT_PROMISED,
    AuditEntry,
    Counts,
    Job,
    LineageEntry,
    NewTask,
    OutboxEntry,
    Production,
    Task,
    TaskInputs,
    Transformation,
    UnfinishedWork,
    product_taken,
)

__all__ = ["MemoryWorkStore"]


class MemoryWorkStore:
    """Productions, transformations, tasks and jobs as dictionaries of records under one lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._productions: dict[str, Production] = {}
        self._transformations: dict[str, Transformation] = {}
        self._tasks: dict[str, Task] = {}
        self._jobs: dict[str, Job] = {}
        self._winners: dict[str, str] = {}
        self._outbox: dict[str, tuple[datetime, OutboxEntry]] = {}
        self._taken: dict[tuple[str, str], str] = {}
        self._products: dict[str, LineageEntry] = {}
        self._promised: dict[str, str] = {}
        self._audit: list[AuditEntry] = []
        self._listeners: list[Callable[[], None]] = []

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

    def productions(self) -> list[Production]:
        """Return every production, the newest first."""
        with self._lock:
            return sorted(self._productions.values(), key=lambda known: known.created_at, reverse=True)

    def production(self, name: str) -> Production:
        """Return one production."""
        return self._one("production", self._productions, name)

    def transformations(self, production: str) -> list[Transformation]:
        """Return the transformations of a production in the order of its file."""
        with self._lock:
            own = [known for known in self._transformations.values() if known.production == production]
            return sorted(own, key=lambda known: known.position)

    def transformation(self, transformation: str) -> Transformation:
        """Return one transformation."""
        return self._one("transformation", self._transformations, transformation)

    def tasks(self, transformation: str, states: Sequence[TaskState] = ()) -> list[Task]:
        """Return the tasks of a transformation by number; only those in the states, when given."""
        with self._lock:
            own = [known for known in self._tasks.values() if known.transformation == transformation]
            return sorted(
                (known for known in own if not states or known.state in states),
                key=lambda known: known.number,
            )

    def task(self, task: str) -> Task:
        """Return one task."""
        return self._one("task", self._tasks, task)

    def jobs(self, task: str) -> list[Job]:
        """Return the jobs of a task by attempt."""
        with self._lock:
            own = [self._with_winner(known) for known in self._jobs.values() if known.task == task]
            return sorted(own, key=lambda known: known.attempt)

    def job(self, job: str) -> Job:
        """Return one job."""
        with self._lock:
            return self._with_winner(self._one("job", self._jobs, job))

    def unfinished(self, *, ready_limit: int) -> UnfinishedWork:
        """Return what is not finished; of the ready tasks the ``ready_limit`` most urgent."""
        with self._lock:
            return unfinished_work(
                productions=self._productions,
                transformations=self._transformations,
                tasks=self._tasks,
                jobs=self._jobs,
                products=self._products,
                taken=self._taken,
                ready_limit=ready_limit,
            )

    def counts(self) -> Counts:
        """Return numbers for monitoring."""
        with self._lock:
            jobs = self._jobs.values()
            return Counts(
                productions=Counter(known.state.value for known in self._productions.values()),
                tasks=Counter(known.state.value for known in self._tasks.values()),
                jobs=Counter(known.state.value for known in jobs),
                exit_reasons=Counter(known.exit_reason.value for known in jobs if known.exit_reason),
                outbox=len(self._outbox),
                outbox_oldest_at=min((created for created, _ in self._outbox.values()), default=None),
            )

    def audit(self, production: str) -> list[AuditEntry]:
        """Return every state change in a production, the oldest first."""
        with self._lock:
            return [entry for entry in self._audit if entry.subject.split(".")[0] == production]

    def lineage(self, production: str) -> list[LineageEntry]:
        """Return the published products of a production, by name."""
        with self._lock:
            own = [entry for entry in self._products.values() if entry.task.split(".")[0] == production]
            return sorted(own, key=lambda entry: entry.lfn)

    def add_tasks(self, transformation: str, tasks: Sequence[NewTask], at: datetime) -> list[str]:
        """Make tasks; one whose driving inputs were taken before is left out. Return the new ids."""
        made: list[str] = []
        with self._lock:
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
            if state is TaskState.FAILED:
                self._promised = {lfn: by for lfn, by in self._promised.items() if by != task}

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

    def outbox(self, due: datetime, *, limit: int) -> list[OutboxEntry]:
        """Return winners to publish whose time has come, the oldest first."""
        with self._lock:
            waiting = sorted(self._outbox.values(), key=lambda pair: (pair[0], pair[1].task))
            return [entry for _, entry in waiting if entry.next_try_at <= due][:limit]

    def next_due(self) -> datetime | None:
        """Return when the next outbox entry is due, or None when the outbox is empty."""
        with self._lock:
            return min((entry.next_try_at for _, entry in self._outbox.values()), default=None)

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

    def to_clean(self, *, limit: int) -> list[Job]:
        """Return ended jobs whose temporary files are to be deleted."""
        with self._lock:
            return [self._with_winner(known) for known in self._jobs.values() if self._is_rubbish(known)][
                :limit
            ]

    def _is_rubbish(self, job: Job) -> bool:
        finished = is_final(self._tasks[job.task].state)
        won = self._winners.get(job.task) == job.id
        ended = job.state in (JobState.FAILED, JobState.SUCCEEDED) or (
            job.state is JobState.LOST and finished
        )
        return not job.cleaned and ended and (finished or not won)

    def cleaned(self, job: str) -> None:
        """Note that a job's temporary files are gone."""
        with self._lock:
            self._jobs[job] = replace(self._jobs[job], cleaned=True)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` soon after anyone changes the store; return the function that ends this."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake)

    def _with_winner(self, job: Job) -> Job:
        return replace(job, won=self._winners.get(job.task) == job.id)

    def _one[Record](self, kind: str, records: Mapping[str, Record], name: str) -> Record:
        with self._lock:
            if name in records:
                return records[name]
        raise NotFound(f"there is no {kind} {name!r}", next_step="run: dpps production list", name=name)

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
