"""What to do next: a pure function of what is unfinished, what the engine says, and the time.

The executor (`dpps.workload.agent`) performs the actions; counters and states live in the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dpps.domain.work import ExitReason, ProductionState, TaskState, TransformationState, is_final
from dpps.workload.grouping import GROUPINGS
from dpps.workload.ports import JobEnd
from dpps.workload.records import (
    TaskInputs,
    UnfinishedTask,
    UnfinishedTransformation,
    UnfinishedWork,
)

__all__ = [
    "ATTEMPTS_MAX",
    "Action",
    "CloseTransformation",
    "EndJob",
    "FailTask",
    "FinishProduction",
    "FinishTransformation",
    "MakeTasks",
    "Observations",
    "RetryTask",
    "StartJob",
    "decide",
    "retry_time",
]

ATTEMPTS_MAX = 3
"""Attempts at a task that may fail by the payload's fault, and as many by that of the machinery."""

_PATIENCE = (timedelta(seconds=5), timedelta(seconds=60))
"""Pause after the first, and after each further failure to reach a storage or an environment."""

_NEEDS_PATIENCE = frozenset({ExitReason.INPUT, ExitReason.OUTPUT, ExitReason.ENVIRONMENT, ExitReason.MISSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What the engine says now."""

    ended: tuple[JobEnd, ...] = ()
    known: frozenset[str] = field(default_factory=frozenset)
    """Jobs that it has and that have not ended."""
    capacity: int = 0
    """How many further jobs it can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndJob:
    """A job is over without a report of its own."""

    job: str
    exit_reason: ExitReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob:
    """Make and submit the next job of a ready task."""

    task: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTask:
    """All jobs of a task failed, and it may be attempted again."""

    task: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailTask:
    """A task has used its attempts."""

    task: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTasks:
    """Products of an earlier transformation are there: group them into tasks."""

    transformation: str
    driver: str
    offered: tuple[str, ...]
    """LFNs for the driving input, not taken by any task."""
    common: TaskInputs
    """LFNs that every task takes whole, by input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTransformation:
    """No further inputs can come."""

    transformation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishTransformation:
    """All tasks of a closed transformation are over."""

    transformation: str
    state: TransformationState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishProduction:
    """All transformations of a production are over."""

    production: str
    state: ProductionState
    reason: str


Action = (
    EndJob
    | StartJob
    | RetryTask
    | FailTask
    | MakeTasks
    | CloseTransformation
    | FinishTransformation
    | FinishProduction
)


def decide(state: UnfinishedWork, observations: Observations, now: datetime) -> list[Action]:
    """Return the actions that the state and the observations call for.

    Parameters
    ----------
    state : UnfinishedWork
        One reading of the store, taken *after* the observations: a job that reported and ended in between
        is then over in the store, and not mistaken for a lost one.
    observations : Observations
        What the engine said.
    now : datetime
        The time.
    """
    actions: list[Action] = []
    free = observations.capacity
    for task in state.tasks:
        if task.state is TaskState.RUNNING:
            actions.extend(_about_running(task, observations, now))
        elif free > 0:
            actions.append(StartJob(task=task.id, priority=task.priority))
            free -= 1
    for transformation in state.transformations:
        if transformation.state is TransformationState.OPEN:
            actions.extend(_about_open(transformation))
        else:
            actions.extend(_about_closed(transformation))
    for production, states in state.productions.items():
        if all(is_final(known) for known in states):
            actions.append(_end_of(production, states))
    return actions


def retry_time(task: UnfinishedTask) -> datetime | None:
    """Return before when a task shall not be attempted again, or None when that does not matter."""
    attempts = task.attempts
    if attempts.last_reason not in _NEEDS_PATIENCE or attempts.last_failure_at is None:
        return None
    pause = _PATIENCE[min(attempts.infrastructure_failures, len(_PATIENCE)) - 1]
    return attempts.last_failure_at + pause


def _about_running(task: UnfinishedTask, observations: Observations, now: datetime) -> Iterator[Action]:
    ends = {end.job: end for end in observations.ended}
    for job in task.attempts.live_jobs:
        end = ends.get(job)
        if end is not None and end.exit_reason is ExitReason.FINISHED:
            yield EndJob(job=job, exit_reason=ExitReason.MISSING, detail="the job ended and never reported")
        elif end is not None:
            yield EndJob(job=job, exit_reason=end.exit_reason, detail=end.detail)
        elif job not in observations.known:
            yield EndJob(
                job=job,
                exit_reason=ExitReason.LOST,
                detail="the engine was restarted and does not know the job",
            )
    if not task.attempts.live_jobs:
        yield from _after_failure(task, now)


def _after_failure(task: UnfinishedTask, now: datetime) -> Iterator[Action]:
    attempts = task.attempts
    last = "" if attempts.last_reason is None else f"{attempts.last_reason.value}: {attempts.last_detail}"
    for number, whose in (
        (attempts.payload_failures, "of the payload"),
        (attempts.infrastructure_failures, "around the payload"),
    ):
        if number >= ATTEMPTS_MAX:
            yield FailTask(task=task.id, reason=f"{number} failures {whose}, the last: {last}")
            return
    not_before = retry_time(task)
    if not_before is None or not_before <= now:
        yield RetryTask(task=task.id, reason=last)


def _about_open(step: UnfinishedTransformation) -> Iterator[Action]:
    inputs = step.definition.inputs
    driver = step.definition.driver
    if driver is None:
        # All tasks of a table were made with the production.
        yield CloseTransformation(transformation=step.id)
        return

    def is_complete(name: str) -> bool:
        source = inputs[name].source
        return source is None or is_final(step.sources[source.split(".")[0]])

    if not all(is_complete(name) for name in inputs if name != driver):
        return
    offered = step.available.get(driver, ())
    may_group = is_complete(driver) or not GROUPINGS[inputs[driver].group.by].needs_all
    common = {
        name: step.fixed_inputs.get(name) or step.available.get(name, ()) for name in inputs if name != driver
    }
    lacks = [name for name, lfns in common.items() if not lfns]
    if offered and may_group and not lacks:
        yield MakeTasks(transformation=step.id, driver=driver, offered=offered, common=common)
    elif is_complete(driver):
        yield CloseTransformation(transformation=step.id)


def _about_closed(step: UnfinishedTransformation) -> Iterator[Action]:
    done, failed = step.tasks.get(TaskState.DONE, 0), step.tasks.get(TaskState.FAILED, 0)
    total = sum(step.tasks.values())
    if done + failed < total:
        return
    if total == 0:
        state, reason = TransformationState.FAILED, _without_tasks(step)
    elif not failed:
        state, reason = TransformationState.DONE, ""
    elif not done:
        state, reason = TransformationState.FAILED, f"all {failed} tasks failed"
    else:
        state, reason = TransformationState.PARTIAL, f"{failed} of {total} tasks failed"
    yield FinishTransformation(transformation=step.id, state=state, reason=reason)


def _without_tasks(step: UnfinishedTransformation) -> str:
    sources = ", ".join(f"{name} is {state.value}" for name, state in sorted(step.sources.items()))
    return f"no inputs ever came: {sources}" if sources else "there were no inputs"


def _end_of(production: str, states: tuple[TransformationState, ...]) -> FinishProduction:
    total = len(states)
    done = sum(state is TransformationState.DONE for state in states)
    failed = sum(state is TransformationState.FAILED for state in states)
    if done == total:
        return FinishProduction(production=production, state=ProductionState.DONE, reason="")
    if failed == total:
        return FinishProduction(
            production=production, state=ProductionState.FAILED, reason="no transformation gave a product"
        )
    return FinishProduction(
        production=production,
        state=ProductionState.PARTIAL,
        reason=f"{done} of {total} transformations are complete, {failed} failed, "
        f"{total - done - failed} are partial",
    )
