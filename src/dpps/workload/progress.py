"""What people ask about a production: how far it is, what runs, what failed and why, what it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from dpps.domain.principals import Action, Principal, authorize
from dpps.domain.work import JobState, ProductionState, TaskState, TransformationState, is_final
from dpps.workload.ports import WorkStore
from dpps.workload.records import LIVE_JOBS, AuditEntry, Job, Production, Task, Transformation

__all__ = [
    "FailedTask",
    "ProductionStatus",
    "ProductionSummary",
    "RunningJob",
    "TransformationStatus",
    "list_productions",
    "production_history",
    "production_status",
]

_SHOWN = 10
_LOG_LINES = 8
_EVER = datetime(9000, 1, 1, tzinfo=UTC)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProductionSummary(_Answer):
    """One line about a production."""

    name: str
    state: ProductionState
    reason: str
    priority: int
    submitter: str
    created_at: datetime
    finished_at: datetime | None
    tasks: int
    done: int
    failed: int


class RunningJob(_Answer):
    """A job that has not ended."""

    job: str
    state: JobState
    since: datetime
    host: str | None = None


class FailedTask(_Answer):
    """A task with a failed attempt, given up or about to be repeated."""

    task: str
    state: TaskState
    reason: str
    attempts: int
    exit_reason: str
    exit_code: int | None
    detail: str
    log_tail: tuple[str, ...]
    """Last lines of the payload's log in the last failed attempt."""
    next_step: str


class TransformationStatus(_Answer):
    """How far one step is."""

    name: str
    state: TransformationState
    reason: str
    tasks: dict[str, int]
    """Number of tasks by state."""
    running: tuple[RunningJob, ...]
    failed: tuple[FailedTask, ...]
    waits_for: str


class ProductionStatus(_Answer):
    """How far a production is."""

    production: ProductionSummary
    transformations: tuple[TransformationStatus, ...]
    products: tuple[str, ...]
    """LFNs of what is published."""


def list_productions(principal: Principal, store: WorkStore) -> list[ProductionSummary]:
    """Return one line about each production, the newest first."""
    authorize(principal, Action.WATCH, "productions")
    return [_summary(store, known) for known in store.productions()]


def production_status(principal: Principal, store: WorkStore, name: str) -> ProductionStatus:
    """Return how far a production is.

    Raises
    ------
    NotAuthorized
        When the principal may not watch productions.
    NotFound
        When there is none of this name.
    """
    authorize(principal, Action.WATCH, f"production {name}")
    production = store.production(name)
    steps = store.transformations(name)
    states = {step.name: step.state for step in steps}
    return ProductionStatus(
        production=_summary(store, production),
        transformations=tuple(_transformation(store, step, states) for step in steps),
        products=tuple(entry.lfn for entry in store.lineage(name)),
    )


def production_history(principal: Principal, store: WorkStore, name: str) -> list[AuditEntry]:
    """Return every state change in a production, the oldest first; errors as `production_status`."""
    authorize(principal, Action.WATCH, f"production {name}")
    store.production(name)
    return store.audit(name)


def _summary(store: WorkStore, production: Production) -> ProductionSummary:
    counts = Counter(
        task.state for step in store.transformations(production.name) for task in store.tasks(step.id)
    )
    return ProductionSummary(
        name=production.name,
        state=production.state,
        reason=production.reason,
        priority=production.priority,
        submitter=production.submitter,
        created_at=production.created_at,
        finished_at=production.finished_at,
        tasks=counts.total(),
        done=counts[TaskState.DONE],
        failed=counts[TaskState.FAILED],
    )


def _transformation(
    store: WorkStore, step: Transformation, states: dict[str, TransformationState]
) -> TransformationStatus:
    tasks = store.tasks(step.id)
    counts = Counter(task.state.value for task in tasks)
    running = [task for task in tasks if task.state is TaskState.RUNNING][:_SHOWN]
    jobs = {task.id: store.jobs(task.id) for task in running}
    troubled = [task for task in tasks if task.state is TaskState.FAILED][:_SHOWN]
    repeated = [task for task in running if any(job.exit_reason is not None for job in jobs[task.id])]
    repeated += [task for task in tasks if task.state is TaskState.READY and task.reason != ""][:_SHOWN]
    return TransformationStatus(
        name=step.name,
        state=step.state,
        reason=step.reason,
        tasks=dict(counts),
        running=tuple(_running(jobs)),
        failed=tuple(
            failure
            for task in (*troubled, *repeated)
            for failure in [_failure(task, jobs.get(task.id) or store.jobs(task.id))]
            if failure is not None
        ),
        waits_for=_waits_for(store, step, tasks, states),
    )


def _running(jobs: dict[str, list[Job]]) -> Iterable[RunningJob]:
    for attempts in jobs.values():
        for job in attempts:
            if job.state in LIVE_JOBS:
                yield RunningJob(job=job.id, state=job.state, since=job.started_at or job.created_at)


def _failure(task: Task, jobs: list[Job]) -> FailedTask | None:
    failed = [job for job in jobs if job.state in (JobState.FAILED, JobState.LOST)]
    last = failed[-1] if failed else None
    if last is None and task.state is not TaskState.FAILED:
        return None
    report = None if last is None else last.report
    log = report.log_tail if report is not None else ""
    return FailedTask(
        task=task.id,
        state=task.state,
        reason=task.reason,
        attempts=len(jobs),
        exit_reason=last.exit_reason.value if last is not None and last.exit_reason is not None else "",
        exit_code=None if report is None else report.exit_code,
        detail="" if last is None else last.detail,
        log_tail=tuple(line for line in log.splitlines() if line.strip())[-_LOG_LINES:],
        next_step=_next_step(task, last),
    )


def _next_step(task: Task, last: Job | None) -> str:
    if task.state is not TaskState.FAILED:
        return "none: it is attempted again"
    if last is None or last.exit_reason is None:
        return "see the reason; then submit what is missing as a new production"
    if last.exit_reason.is_payload_failure:
        return "correct configuration, inputs or resources; then submit what is missing as a new production"
    return "see the services with: dpps status; then submit what is missing as a new production"


def _waits_for(
    store: WorkStore, step: Transformation, tasks: list[Task], states: dict[str, TransformationState]
) -> str:
    if step.state is TransformationState.OPEN:
        open_sources = sorted(name for name in step.definition.sources if not is_final(states[name]))
        if open_sources:
            return f"products of {', '.join(open_sources)}"
    publishing = sum(task.state is TaskState.PUBLISHING for task in tasks)
    if publishing:
        late = [task.id for task in tasks if task.state is TaskState.PUBLISHING]
        errors = [
            entry.last_error
            for entry in store.outbox(_EVER, limit=1000)
            if entry.task in late and entry.last_error
        ]
        return f"the archive: {publishing} tasks to publish" + (f" ({errors[0]})" if errors else "")
    if any(task.state is TaskState.RUNNING for task in tasks):
        return "its jobs"
    if any(task.state is TaskState.READY for task in tasks):
        return "free workers"
    return ""
