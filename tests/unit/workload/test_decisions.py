"""The decisions, as a pure function: cases, and properties on random states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.domain.work import ExitReason, ProductionState, TaskState, TransformationState
from dpps.testing.work_store_contract import linked_production
from dpps.workload import decisions
from dpps.workload.decisions import Observations, decide
from dpps.workload.definition import Group
from dpps.workload.ports import JobEnd
from dpps.workload.records import Attempts, UnfinishedTask, UnfinishedTransformation, UnfinishedWork

NOW = datetime(2026, 2, 14, 22, 0, tzinfo=UTC)
DL1, DL2 = linked_production().transformations


def running(**attempts: Any) -> UnfinishedTask:
    return UnfinishedTask(
        id="night.dl1.1",
        transformation="night.dl1",
        priority=5,
        state=TaskState.RUNNING,
        attempts=Attempts(**attempts),
    )


def step(
    definition: Any = DL2, *, state: TransformationState = TransformationState.OPEN, **values: Any
) -> UnfinishedTransformation:
    given_values: dict[str, Any] = {
        "id": f"night.{definition.name}",
        "production": "night",
        "state": state,
        "definition": definition,
        "fixed_inputs": {},
        "sources": {name: TransformationState.OPEN for name in definition.sources},
        "available": {},
        "tasks": {},
    }
    return UnfinishedTransformation(**given_values | values)


def about_task(task: UnfinishedTask, **observed: Any) -> list[decisions.Action]:
    return decide(UnfinishedWork(tasks=(task,)), Observations(**observed), NOW)


def about_step(known: UnfinishedTransformation) -> list[decisions.Action]:
    return decide(UnfinishedWork(transformations=(known,)), Observations(), NOW)


def test_a_job_that_the_engine_has_is_left_alone() -> None:
    assert about_task(running(live_jobs=("j",)), known=frozenset({"j"})) == []


def test_a_job_that_the_engine_does_not_know_is_lost() -> None:
    (action,) = about_task(running(live_jobs=("j",)))
    assert isinstance(action, decisions.EndJob)
    assert (action.job, action.exit_reason) == ("j", ExitReason.LOST)


def test_a_job_that_ended_in_silence_misses_its_report() -> None:
    (action,) = about_task(
        running(live_jobs=("j",)), ended=(JobEnd(job="j", exit_reason=ExitReason.FINISHED),)
    )
    assert isinstance(action, decisions.EndJob)
    assert action.exit_reason is ExitReason.MISSING


def test_the_engine_s_reason_is_kept() -> None:
    end = JobEnd(job="j", exit_reason=ExitReason.KILLED, detail="stopped")
    assert about_task(running(live_jobs=("j",)), ended=(end,)) == [
        decisions.EndJob(job="j", exit_reason=ExitReason.KILLED, detail="stopped")
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_a_failed_payload_is_repeated_at_once(number: int) -> None:
    task = running(
        payload_failures=number, last_reason=ExitReason.FAILED, last_detail="exit 1", last_failure_at=NOW
    )
    assert about_task(task) == [decisions.RetryTask(task="night.dl1.1", reason="failed: exit 1")]


@pytest.mark.parametrize("whose", ["payload_failures", "infrastructure_failures"])
def test_the_third_failure_is_the_last(whose: str) -> None:
    (action,) = about_task(
        running(**{whose: 3}, last_reason=ExitReason.LOST, last_detail="gone", last_failure_at=NOW)
    )
    assert isinstance(action, decisions.FailTask)
    assert "3 failures" in action.reason
    assert "gone" in action.reason


def test_failures_of_both_kinds_do_not_add_up() -> None:
    (action,) = about_task(running(payload_failures=2, infrastructure_failures=2))
    assert isinstance(action, decisions.RetryTask)


def test_a_storage_that_is_away_is_given_time() -> None:
    failed = running(infrastructure_failures=1, last_reason=ExitReason.INPUT, last_failure_at=NOW)
    due = decisions.retry_time(failed)
    assert due is not None
    assert due > NOW
    assert about_task(failed) == []
    state = UnfinishedWork(tasks=(failed,))
    assert isinstance(decide(state, Observations(), due)[0], decisions.RetryTask)


def test_products_become_tasks_as_they_come() -> None:
    known = step(available={"dl1": ("/ctao/dpps/x",)})
    assert about_step(known) == [
        decisions.MakeTasks(transformation="night.dl2", driver="dl1", offered=("/ctao/dpps/x",), common={})
    ]


def test_a_grouping_that_needs_all_waits_for_the_end() -> None:
    grouped = DL2.model_copy(
        update={"inputs": {"dl1": DL2.inputs["dl1"].model_copy(update={"group": Group(by="observation")})}}
    )
    early = step(grouped, available={"dl1": ("/ctao/dpps/x",)})
    assert about_step(early) == []
    late = step(grouped, available={"dl1": ("/ctao/dpps/x",)}, sources={"dl1": TransformationState.PARTIAL})
    assert isinstance(about_step(late)[0], decisions.MakeTasks)


def test_a_transformation_is_closed_when_nothing_more_can_come() -> None:
    assert about_step(step()) == []
    finished = step(sources={"dl1": TransformationState.FAILED})
    assert about_step(finished) == [decisions.CloseTransformation(transformation="night.dl2")]
    assert about_step(step(DL1)) == [decisions.CloseTransformation(transformation="night.dl1")]


@pytest.mark.parametrize(
    ("tasks", "state"),
    [
        ({TaskState.DONE: 2}, TransformationState.DONE),
        ({TaskState.DONE: 1, TaskState.FAILED: 1}, TransformationState.PARTIAL),
        ({TaskState.FAILED: 2}, TransformationState.FAILED),
        ({}, TransformationState.FAILED),
    ],
)
def test_a_closed_transformation_ends(tasks: dict[TaskState, int], state: TransformationState) -> None:
    (action,) = about_step(step(state=TransformationState.CLOSED, tasks=tasks))
    assert isinstance(action, decisions.FinishTransformation)
    assert action.state is state
    assert bool(action.reason) is (state is not TransformationState.DONE)


@pytest.mark.parametrize("left", [TaskState.READY, TaskState.RUNNING, TaskState.PUBLISHING])
def test_it_does_not_end_before_its_tasks(left: TaskState) -> None:
    known = step(state=TransformationState.CLOSED, tasks={TaskState.DONE: 5, left: 1})
    assert about_step(known) == []


D, P, F = TransformationState.DONE, TransformationState.PARTIAL, TransformationState.FAILED


@pytest.mark.parametrize(
    ("states", "end"),
    [
        ((D, D), ProductionState.DONE),
        ((D, P), ProductionState.PARTIAL),
        ((P, F), ProductionState.PARTIAL),
        ((F, F), ProductionState.FAILED),
        ((D, TransformationState.CLOSED), None),
    ],
)
def test_how_a_production_ends(states: tuple[TransformationState, ...], end: ProductionState | None) -> None:
    actions = decide(UnfinishedWork(productions={"night": states}), Observations(), NOW)
    assert [action.state for action in actions if isinstance(action, decisions.FinishProduction)] == (
        [] if end is None else [end]
    )


_attempts = st.builds(
    Attempts,
    live_jobs=st.lists(st.sampled_from("abc"), unique=True, max_size=2).map(tuple),
    payload_failures=st.integers(0, 4),
    infrastructure_failures=st.integers(0, 4),
    last_reason=st.none() | st.sampled_from(ExitReason),
    last_failure_at=st.none() | st.just(NOW - timedelta(hours=1)),
)
_tasks = st.lists(
    st.builds(
        UnfinishedTask,
        id=st.integers(1, 99).map(lambda number: f"night.dl1.{number}"),
        transformation=st.just("night.dl1"),
        priority=st.integers(0, 9),
        state=st.sampled_from([TaskState.READY, TaskState.RUNNING]),
        attempts=_attempts,
    ),
    unique_by=lambda task: task.id,
    max_size=12,
)


@given(tasks=_tasks, capacity=st.integers(0, 5), known=st.frozensets(st.sampled_from("abc")))
def test_no_task_is_started_twice_or_beyond_capacity(
    tasks: list[UnfinishedTask], capacity: int, known: frozenset[str]
) -> None:
    actions = decide(UnfinishedWork(tasks=tuple(tasks)), Observations(known=known, capacity=capacity), NOW)
    started = [action.task for action in actions if isinstance(action, decisions.StartJob)]
    assert len(started) == len(set(started)) <= capacity
    states = {task.id: task for task in tasks}
    assert all(states[name].state is TaskState.READY for name in started)
    for action in actions:
        if isinstance(action, decisions.RetryTask | decisions.FailTask):
            assert states[action.task].state is TaskState.RUNNING
            assert states[action.task].attempts.live_jobs == ()
        if isinstance(action, decisions.RetryTask):
            attempts = states[action.task].attempts
            assert max(attempts.payload_failures, attempts.infrastructure_failures) < decisions.ATTEMPTS_MAX
        if isinstance(action, decisions.EndJob):
            assert action.job not in known
