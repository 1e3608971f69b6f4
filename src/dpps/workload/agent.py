"""The executor: observes, lets `decide` decide, and performs the actions one by one.

It may be killed between any two statements: everything it knows is in the store, and each action is either
one transaction or can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from dpps.domain.errors import Conflict, DppsError, InvalidInput, InvalidTransition, NotFound
from dpps.domain.work import ExitReason, JobState, TaskState, TransformationState
from dpps.workload import decisions
from dpps.workload.bundling import make_bundle, temporary_folder
from dpps.workload.context import WorkloadContext
from dpps.workload.decisions import Observations, decide, retry_time
from dpps.workload.grouping import divide
from dpps.workload.outbox import clean_up, input_files, publish_due, storage_prefix
from dpps.workload.outputs import describe_outputs, planned_activity
from dpps.workload.planning import new_task
from dpps.workload.records import UnfinishedWork

__all__ = ["Agent", "StepResult"]

_ENGINE_WATCH = timedelta(seconds=10)
"""How often an engine that has workers is looked at, in case that it dies silently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one pass did."""

    changed: bool
    """Whether anything was done, so that another pass may find more."""
    next_at: datetime | None
    """When the next thing is due that nobody will announce."""


class Agent:
    """Drives all productions of a store on one engine.

    Parameters
    ----------
    context : WorkloadContext
        Ports and settings.
    """

    def __init__(self, context: WorkloadContext) -> None:
        self._context = context
        self._log = structlog.get_logger(__name__)

    def step(self) -> StepResult:
        """Make one pass.

        Raises
        ------
        Unavailable
            When the database, the catalogue or a storage does not answer; the next pass goes on.
        """
        context = self._context
        # Order matters: a job that ends in between is over in the store when the store is read.
        ended = tuple(context.engine.collect())
        observations = Observations(
            ended=ended, known=context.engine.known(), capacity=context.engine.capacity()
        )
        state = context.store.unfinished(ready_limit=observations.capacity)
        actions = decide(state, observations, context.clock())
        for action in actions:
            self._perform(action)
        for job in sorted(context.store.cancelled_jobs(observations.known)):
            context.engine.withdraw(job)
        published = publish_due(context)
        cleaned = clean_up(context)
        kept = context.engine.release_idle()
        return StepResult(
            changed=bool(actions or published or cleaned),
            next_at=self._next_time(state, watch_engine=kept or bool(observations.known)),
        )

    def _next_time(self, state: UnfinishedWork, *, watch_engine: bool) -> datetime | None:
        times = [
            time
            for task in state.tasks
            if task.state is TaskState.RUNNING and not task.attempts.live_jobs
            for time in [retry_time(task)]
            if time is not None
        ]
        due = self._context.store.next_due()
        if due is not None:
            times.append(due)
        if watch_engine:
            times.append(self._context.clock() + _ENGINE_WATCH)
        return min(times, default=None)

    def _perform(self, action: decisions.Action) -> None:
        try:
            self._dispatch(action)
        except InvalidTransition as outdated:
            # Someone else changed it since the store was read (a report came in): the next pass sees that.
            self._log.info("decision is out of date", action=str(action), why=outdated.message)

    def _dispatch(self, action: decisions.Action) -> None:
        store, now = self._context.store, self._context.clock()
        match action:
            case decisions.EndJob():
                state = JobState.LOST if action.exit_reason is ExitReason.LOST else JobState.FAILED
                self._log.warning("job ended", job=action.job, exit_reason=action.exit_reason.value)
                store.set_job(action.job, state, at=now, exit_reason=action.exit_reason, detail=action.detail)
            case decisions.StartJob():
                self._start(action)
            case decisions.RetryTask():
                store.set_task(action.task, TaskState.READY, reason=action.reason, at=now)
            case decisions.FailTask():
                self._log.error("task failed", task=action.task, reason=action.reason)
                store.set_task(action.task, TaskState.FAILED, reason=action.reason, at=now)
            case decisions.MakeTasks():
                self._make_tasks(action)
            case decisions.CloseTransformation():
                store.set_transformation(
                    action.transformation,
                    TransformationState.CLOSED,
                    reason="all inputs are there",
                    at=now,
                )
            case decisions.FinishTransformation():
                store.set_transformation(action.transformation, action.state, reason=action.reason, at=now)
            case decisions.FinishProduction():
                self._log.info("production ended", production=action.production, state=action.state.value)
                store.set_production(action.production, action.state, reason=action.reason, at=now)

    def _make_tasks(self, action: decisions.MakeTasks) -> None:
        context = self._context
        step = context.store.transformation(action.transformation).definition
        inputs = {**action.common, action.driver: action.offered}
        try:
            files = input_files(context, inputs)
            tasks = divide(step, {name: [files[lfn] for lfn in lfns] for name, lfns in inputs.items()})
        except (InvalidInput, NotFound) as wrong:
            # Nothing that waits for more inputs can mend this: the step ends with what it has.
            self._log.error(
                "inputs cannot be grouped", transformation=action.transformation, error=wrong.message
            )
            context.store.set_transformation(
                action.transformation,
                TransformationState.CLOSED,
                reason=wrong.message,
                at=context.clock(),
            )
            return
        new = [new_task(step, given) for given in tasks]
        context.store.add_tasks(action.transformation, new, context.clock())

    def _start(self, action: decisions.StartJob) -> None:
        context = self._context
        task = context.store.task(action.task)
        transformation = context.store.transformation(task.transformation)
        step = transformation.definition
        # Everything that may be unavailable is asked before the attempt begins, so that it costs none.
        try:
            files = input_files(context, task.inputs)
        except NotFound as gone:
            context.store.set_task(task.id, TaskState.FAILED, reason=gone.message, at=context.clock())
            return
        prefix = storage_prefix(context)
        job = context.store.start_attempt(task.id, context.clock())
        try:
            bundle = make_bundle(
                task,
                transformation,
                context.processes.describe(step.process),
                files,
                describe_outputs(
                    step,
                    {name: [files[lfn] for lfn in lfns] for name, lfns in task.inputs.items()},
                    planned_activity(step, context.clock()),
                    vo=context.vo,
                    task=task.number,
                ),
                job=job.id,
                attempt=job.attempt,
                computing_storage=context.computing_storage,
                output_folder=temporary_folder(job.id, vo=context.vo, url_prefix=prefix),
                report_url=f"{context.report_base_url}/jobs/{job.id}",
                token=context.issue_token(job.id),
            )
            context.engine.submit(job.id, bundle.model_dump_json(), priority=action.priority)
        except DppsError as error:
            self._log.warning("job could not be started", job=job.id, error=error.message)
            reason = ExitReason.INPUT if error.code == "input-unavailable" else ExitReason.MISSING
            context.store.set_job(
                job.id, JobState.FAILED, at=context.clock(), exit_reason=reason, detail=error.message
            )
            return
        self._note_submitted(job.id)

    def _note_submitted(self, job: str) -> None:
        try:
            self._context.store.set_job(job, JobState.SUBMITTED, at=self._context.clock())
        except Conflict:
            self._log.debug("job reported before its submission was noted", job=job)
