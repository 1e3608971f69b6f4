"""What every work store must do. A subclass gives the fixture ``store``: an empty one."""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dpps.domain.errors import Conflict, InvalidTransition, NotFound
from dpps.domain.work import (
    ExitReason,
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
)
from dpps.workload.bundle import JobReport, ReportedOutput
from dpps.workload.definition import ProductionDefinition
from dpps.workload.ports import WorkStore
from dpps.workload.records import LineageEntry, NewTask

__all__ = ["WorkStoreContract", "linked_production", "new_task", "success"]

START = datetime(2026, 2, 14, 20, 0, tzinfo=UTC)
LATER = START + timedelta(minutes=5)


def linked_production(name: str = "night", *, priority: int = 5) -> ProductionDefinition:
    """Return a production of two linked transformations ``dl1`` and ``dl2``."""
    process: dict[str, Any] = {"class": "CommandLineTool", "inputs": [], "outputs": []}
    return ProductionDefinition.model_validate(
        {
            "production": name,
            "priority": priority,
            "transformations": [
                {
                    "name": "dl1",
                    "process": process,
                    "inputs": {"dl0": {"query": "data__level = 'SIM'"}},
                    "outputs": {"dl1": {"product": "DL1/Event/Subarray/AirShower"}},
                },
                {
                    "name": "dl2",
                    "process": process,
                    "inputs": {"dl1": {"from": "dl1.dl1"}},
                    "outputs": {"dl2": {"product": "DL2/Event/Subarray/AirShower"}},
                },
            ],
        }
    )


def new_task(*lfns: str, driver: str = "dl0") -> NewTask:
    """Return a group of inputs."""
    return NewTask(inputs={driver: lfns}, driver=driver)


def success(output: str = "dl1") -> JobReport:
    """Return the report of a job that went well."""
    return JobReport(
        exit_reason=ExitReason.FINISHED,
        outputs=(
            ReportedOutput(
                output=output, name="x.h5", url="file://localhost/x.h5", size_bytes=3, adler32="01234567"
            ),
        ),
        started_at=START,
        finished_at=LATER,
        wall_seconds=300,
        software={"cat": "9.1"},
    )


class WorkStoreContract:
    """The suite; time is given, so nothing waits."""

    @pytest.fixture
    def submitted(self, store: WorkStore) -> WorkStore:
        """Return the store with one production of two first tasks."""
        self._submit(store, linked_production(), ["/ctao/dpps/a", "/ctao/dpps/b"])
        return store

    @staticmethod
    def _submit(store: WorkStore, definition: ProductionDefinition, lfns: Sequence[str]) -> None:
        store.create(
            definition,
            submitter="alice",
            at=START,
            fixed_inputs={},
            tasks={"dl1": [new_task(lfn) for lfn in lfns]},
        )

    def test_a_new_production_is_kept_whole(self, submitted: WorkStore) -> None:
        production = submitted.production("night")
        assert (production.state, production.submitter, production.created_at) == (
            ProductionState.ACTIVE,
            "alice",
            START,
        )
        assert [step.id for step in submitted.transformations("night")] == ["night.dl1", "night.dl2"]
        assert submitted.transformation("night.dl2").definition == linked_production().transformations[1]
        assert [(task.id, task.state, task.inputs) for task in submitted.tasks("night.dl1")] == [
            ("night.dl1.1", TaskState.READY, {"dl0": ("/ctao/dpps/a",)}),
            ("night.dl1.2", TaskState.READY, {"dl0": ("/ctao/dpps/b",)}),
        ]
        assert [known.name for known in submitted.productions()] == ["night"]

    def test_the_order_of_inputs_and_software_is_kept(self, store: WorkStore) -> None:
        definition = linked_production()
        plain = definition.model_dump(mode="json", by_alias=True)
        inputs = {
            "zz_driver": {"query": "a = 1", "group": {"by": "observation"}},
            "a": {"query": "a = 1", "group": {"by": "observation"}},
        }
        plain["transformations"][0]["inputs"] = inputs
        store.create(
            ProductionDefinition.model_validate(plain), submitter="a", at=START, fixed_inputs={}, tasks={}
        )
        assert store.transformation("night.dl1").definition.driver == "zz_driver"
        store.add_tasks("night.dl1", [new_task("/ctao/dpps/a", driver="zz_driver")], START)
        job = store.start_attempt("night.dl1.1", START)
        report = success().model_copy(update={"software": {"ctapipe": "0.32.0", "abc": "1"}})
        store.succeed(job.id, report, LATER)
        kept = store.job(job.id).report
        assert kept is not None
        assert list(kept.software) == ["ctapipe", "abc"]

    def test_a_name_is_used_once(self, submitted: WorkStore) -> None:
        with pytest.raises(Conflict, match="night"):
            self._submit(submitted, linked_production(), ["/ctao/dpps/c"])
        assert len(submitted.tasks("night.dl1")) == 2

    @pytest.mark.parametrize("kind", ["production", "transformation", "task", "job"])
    def test_what_does_not_exist_is_not_found(self, store: WorkStore, kind: str) -> None:
        with pytest.raises(NotFound, match="nothing"):
            getattr(store, kind)("nothing")

    def test_an_input_makes_one_task_only(self, submitted: WorkStore) -> None:
        made = submitted.add_tasks("night.dl1", [new_task("/ctao/dpps/b"), new_task("/ctao/dpps/c")], LATER)
        assert made == ["night.dl1.3"]
        assert submitted.add_tasks("night.dl1", [new_task("/ctao/dpps/c")], LATER) == []

    def test_tasks_of_a_table_are_numbered_as_its_rows(self, store: WorkStore) -> None:
        plain = linked_production().model_dump(mode="json", by_alias=True)
        plain["transformations"][0] |= {"inputs": {}, "task_table": [{"run": 7}, {"run": 8}]}
        definition = ProductionDefinition.model_validate(plain)
        listed = [NewTask(inputs={}, driver=None)] * 2
        store.create(definition, submitter="alice", at=START, fixed_inputs={}, tasks={"dl1": listed})
        assert [(task.number, task.inputs) for task in store.tasks("night.dl1")] == [(1, {}), (2, {})]
        kept = store.transformation("night.dl1").definition
        assert (kept.task_row(2), kept.driver) == ({"run": 8}, None)
        (open_step, *_) = store.unfinished(ready_limit=10).transformations
        assert open_step.available == {}

    def test_each_attempt_is_a_job_of_its_own(self, submitted: WorkStore) -> None:
        first = submitted.start_attempt("night.dl1.1", LATER)
        assert (first.id, first.attempt, first.state) == ("night.dl1.1.1", 1, JobState.CREATED)
        with pytest.raises(InvalidTransition):
            submitted.start_attempt("night.dl1.1", LATER)
        submitted.set_job(first.id, JobState.FAILED, at=LATER, exit_reason=ExitReason.FAILED, detail="exit 1")
        submitted.set_task("night.dl1.1", TaskState.READY, reason="again", at=LATER)
        assert submitted.start_attempt("night.dl1.1", LATER).id == "night.dl1.1.2"
        jobs = submitted.jobs("night.dl1.1")
        assert [(job.state, job.exit_reason, job.detail) for job in jobs] == [
            (JobState.FAILED, ExitReason.FAILED, "exit 1"),
            (JobState.CREATED, None, ""),
        ]

    def test_a_forbidden_change_changes_nothing(self, submitted: WorkStore) -> None:
        before = submitted.audit("night")
        with pytest.raises(InvalidTransition, match=r"night\.dl1\.1"):
            submitted.set_task("night.dl1.1", TaskState.DONE, reason="", at=LATER)
        assert submitted.task("night.dl1.1").state is TaskState.READY
        assert submitted.audit("night") == before

    def test_every_change_is_audited(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", LATER)
        submitted.set_job(job.id, JobState.RUNNING, at=LATER)
        changes = [(entry.subject, entry.before, entry.after) for entry in submitted.audit("night")]
        assert changes == [
            ("night", "", "active"),
            ("night.dl1.1", "", "ready"),
            ("night.dl1.2", "", "ready"),
            ("night.dl1.1", "ready", "running"),
            ("night.dl1.1.1", "", "created"),
            ("night.dl1.1.1", "created", "running"),
        ]

    def test_a_success_is_elected_and_enters_the_outbox(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", START)
        assert submitted.succeed(job.id, success(), LATER)
        assert submitted.succeed(job.id, success(), LATER), "a repeated report gets the same answer"
        assert submitted.job(job.id).won
        assert submitted.job(job.id).report == success()
        assert submitted.task("night.dl1.1").state is TaskState.PUBLISHING
        assert [(entry.task, entry.job) for entry in submitted.outbox(LATER, limit=9)] == [
            ("night.dl1.1", job.id)
        ]
        assert submitted.outbox(START, limit=9) == [], "it is not due before it was made"

    def test_one_of_two_successes_wins(self, submitted: WorkStore) -> None:
        lost = submitted.start_attempt("night.dl1.1", START)
        submitted.set_job(lost.id, JobState.LOST, at=START, exit_reason=ExitReason.LOST)
        submitted.set_task("night.dl1.1", TaskState.READY, reason="again", at=START)
        second = submitted.start_attempt("night.dl1.1", START)
        assert submitted.succeed(lost.id, success(), LATER), "a lost job may come back"
        assert not submitted.succeed(second.id, success(), LATER)
        assert not submitted.succeed(second.id, success(), LATER)
        assert [job.won for job in submitted.jobs("night.dl1.1")] == [True, False]
        assert len(submitted.outbox(LATER, limit=9)) == 1
        assert [job.id for job in submitted.to_clean(limit=9)] == [second.id]
        submitted.cleaned(second.id)
        assert submitted.to_clean(limit=9) == []

    def test_concurrent_successes_elect_one(self, submitted: WorkStore) -> None:
        jobs = []
        for _ in range(4):
            job = submitted.start_attempt("night.dl1.1", START)
            submitted.set_job(job.id, JobState.LOST, at=START, exit_reason=ExitReason.LOST)
            submitted.set_task("night.dl1.1", TaskState.READY, reason="again", at=START)
            jobs.append(job.id)
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda job=job: answers.append(submitted.succeed(job, success(), LATER)))
            for job in jobs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [False, False, False, True]
        assert len(submitted.outbox(LATER, limit=9)) == 1

    def test_a_lost_job_is_cleaned_after_its_task(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", START)
        submitted.set_job(job.id, JobState.LOST, at=START, exit_reason=ExitReason.LOST)
        assert submitted.to_clean(limit=9) == []
        submitted.set_task("night.dl1.1", TaskState.FAILED, reason="enough", at=LATER)
        assert [known.id for known in submitted.to_clean(limit=9)] == [job.id]

    def test_publishing_is_postponed_and_completed(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", START)
        submitted.succeed(job.id, success(), START)
        assert submitted.next_due() == START
        submitted.postpone("night.dl1.1", error="the catalogue is away", next_try_at=LATER)
        assert submitted.outbox(START, limit=9) == []
        (entry,) = submitted.outbox(LATER, limit=9)
        assert (entry.attempts, entry.last_error, entry.next_try_at) == (1, "the catalogue is away", LATER)
        product = self._product(job.id)
        submitted.published("night.dl1.1", [product], LATER)
        assert submitted.task("night.dl1.1").state is TaskState.DONE
        assert submitted.outbox(LATER, limit=9) == []
        assert submitted.next_due() is None
        assert submitted.lineage("night") == [product]
        assert [known.id for known in submitted.to_clean(limit=9)] == [job.id]

    @staticmethod
    def _product(job: str, lfn: str = "/ctao/dpps/dl1/p001/x.h5") -> LineageEntry:
        return LineageEntry(
            lfn=lfn,
            output="dl1",
            inputs=("/ctao/dpps/a",),
            task=job.rsplit(".", 1)[0],
            job=job,
            activity={"id": "1"},
        )

    def test_a_product_has_one_task(self, submitted: WorkStore) -> None:
        jobs = [submitted.start_attempt(f"night.dl1.{number}", START) for number in (1, 2)]
        for job in jobs:
            submitted.succeed(job.id, success(), START)
        submitted.published("night.dl1.1", [self._product(jobs[0].id)], LATER)
        with pytest.raises(Conflict, match=r"night\.dl1\.1"):
            submitted.published("night.dl1.2", [self._product(jobs[1].id)], LATER)
        assert submitted.task("night.dl1.2").state is TaskState.PUBLISHING
        assert [entry.task for entry in submitted.lineage("night")] == ["night.dl1.1"]

    def test_a_product_is_promised_by_one_task(self, store: WorkStore) -> None:
        promising = replace(new_task("/ctao/dpps/a"), outputs=("/ctao/dpps/x",))
        for name in ("one", "two"):
            store.create(linked_production(name), submitter="a", at=START, fixed_inputs={}, tasks={})
        store.add_tasks("one.dl1", [promising], START)
        assert store.add_tasks("one.dl1", [promising], START) == [], "its inputs were taken before"
        with pytest.raises(Conflict, match=r"one\.dl1\.1") as caught:
            store.add_tasks("two.dl1", [promising], START)
        assert caught.value.code == "product-promised"
        with pytest.raises(Conflict):
            store.create(
                linked_production("three"),
                submitter="a",
                at=START,
                fixed_inputs={},
                tasks={"dl1": [promising]},
            )
        assert {known.name for known in store.productions()} == {"one", "two"}
        assert store.tasks("two.dl1") == []
        store.start_attempt("one.dl1.1", START)
        store.set_task("one.dl1.1", TaskState.FAILED, reason="enough", at=LATER)
        assert store.add_tasks("two.dl1", [promising], LATER) == ["two.dl1.1"]

    def test_publishing_is_given_up(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", START)
        submitted.succeed(job.id, success(), START)
        submitted.give_up_publishing("night.dl1.1", reason="the name is taken", at=LATER)
        task = submitted.task("night.dl1.1")
        assert (task.state, task.reason) == (TaskState.FAILED, "the name is taken")
        assert submitted.outbox(LATER, limit=9) == []

    def test_a_cancelled_production_ends_what_is_not_won(self, submitted: WorkStore) -> None:
        won, running = (submitted.start_attempt(f"night.dl1.{number}", LATER) for number in (1, 2))
        submitted.succeed(won.id, success(), LATER)
        assert submitted.cancel("night", reason="cancelled by bob", at=LATER)

        production = submitted.production("night")
        assert (production.state, production.reason, production.finished_at) == (
            ProductionState.CANCELLED,
            "cancelled by bob",
            LATER,
        )
        assert {step.state for step in submitted.transformations("night")} == {TransformationState.CANCELLED}
        states = [task.state for task in submitted.tasks("night.dl1")]
        assert states == [TaskState.PUBLISHING, TaskState.CANCELLED]
        ended = submitted.job(running.id)
        assert (ended.state, ended.exit_reason, ended.detail, ended.finished_at) == (
            JobState.FAILED,
            ExitReason.KILLED,
            "cancelled by bob",
            LATER,
        )
        assert submitted.cancelled_jobs([won.id, running.id, "nobody"]) == {running.id}
        unfinished = submitted.unfinished(ready_limit=10)
        assert (unfinished.productions, unfinished.transformations, unfinished.tasks) == ({}, (), ())
        changed = {
            (entry.kind, entry.before) for entry in submitted.audit("night") if entry.after == "cancelled"
        }
        assert changed == {("production", "active"), ("transformation", "open"), ("task", "running")}

    def test_what_was_won_before_is_published_after_the_cancelling(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", LATER)
        submitted.succeed(job.id, success(), LATER)
        submitted.cancel("night", reason="enough", at=LATER)
        product = LineageEntry(
            lfn="/ctao/dpps/x", output="dl1", inputs=(), task="night.dl1.1", job=job.id, activity={}
        )
        submitted.published("night.dl1.1", [product], LATER)
        assert submitted.task("night.dl1.1").state is TaskState.DONE
        assert [entry.lfn for entry in submitted.lineage("night")] == ["/ctao/dpps/x"]

    def test_cancelling_again_changes_nothing_and_an_ended_production_is_kept(
        self, submitted: WorkStore
    ) -> None:
        self._submit(submitted, linked_production("other"), ["/ctao/dpps/c"])
        submitted.set_production("other", ProductionState.DONE, reason="", at=LATER)
        submitted.cancel("night", reason="enough", at=LATER)
        before = submitted.audit("night")
        assert not submitted.cancel("night", reason="once more", at=LATER)
        assert submitted.audit("night") == before
        with pytest.raises(InvalidTransition, match="other is done"):
            submitted.cancel("other", reason="too late", at=LATER)
        assert submitted.task("other.dl1.1").state is TaskState.READY, "all or nothing"
        with pytest.raises(NotFound):
            submitted.cancel("nothing", reason="", at=LATER)

    def test_a_cancelled_production_makes_no_tasks_and_promises_nothing(self, store: WorkStore) -> None:
        promised = replace(new_task("/ctao/dpps/a"), outputs=("/ctao/dpps/x",))
        for name in ("one", "two"):
            store.create(
                linked_production(name),
                submitter="alice",
                at=START,
                fixed_inputs={},
                tasks={"dl1": [promised]},
            )
            store.cancel(name, reason="enough", at=LATER)
        with pytest.raises(InvalidTransition, match=r"one\.dl2 is cancelled"):
            store.add_tasks("one.dl2", [new_task("/ctao/dpps/x", driver="dl1")], LATER)
        with pytest.raises(InvalidTransition):
            store.start_attempt("one.dl1.1", LATER)

    def test_a_lost_job_of_a_cancelled_task_comes_back_for_nothing(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", LATER)
        submitted.set_job(job.id, JobState.LOST, at=LATER, exit_reason=ExitReason.LOST)
        submitted.cancel("night", reason="enough", at=LATER)
        assert not submitted.succeed(job.id, success(), LATER)
        assert [left.id for left in submitted.to_clean(limit=10)] == [job.id]

    def test_unfinished_work_is_read_in_one_piece(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", START)
        submitted.succeed(job.id, success(), START)
        submitted.published("night.dl1.1", [self._product(job.id)], LATER)
        work = submitted.unfinished(ready_limit=10)
        assert work.productions == {"night": (TransformationState.OPEN, TransformationState.OPEN)}
        first, second = work.transformations
        assert dict(first.tasks) == {TaskState.DONE: 1, TaskState.READY: 1}
        assert second.available == {"dl1": ("/ctao/dpps/dl1/p001/x.h5",)}
        assert second.sources == {"dl1": TransformationState.OPEN}
        assert [(task.id, task.state) for task in work.tasks] == [("night.dl1.2", TaskState.READY)]
        submitted.add_tasks("night.dl2", [new_task("/ctao/dpps/dl1/p001/x.h5", driver="dl1")], LATER)
        assert submitted.unfinished(ready_limit=10).transformations[1].available == {"dl1": ()}

    def test_failures_are_counted_by_whose_they_are(self, submitted: WorkStore) -> None:
        for reason in (ExitReason.LOST, ExitReason.FAILED, ExitReason.INPUT):
            job = submitted.start_attempt("night.dl1.1", START)
            state = JobState.LOST if reason is ExitReason.LOST else JobState.FAILED
            submitted.set_job(job.id, state, at=LATER, exit_reason=reason, detail=f"by {reason.value}")
            submitted.set_task("night.dl1.1", TaskState.READY, reason="again", at=LATER)
        live = submitted.start_attempt("night.dl1.1", LATER)
        attempts = submitted.unfinished(ready_limit=10).tasks[0].attempts
        assert (attempts.payload_failures, attempts.infrastructure_failures) == (1, 2)
        assert (attempts.last_reason, attempts.last_detail) == (ExitReason.INPUT, "by input")
        assert attempts.last_failure_at == LATER
        assert attempts.live_jobs == (live.id,)

    def test_urgent_tasks_come_first_and_few(self, submitted: WorkStore) -> None:
        self._submit(submitted, linked_production("urgent", priority=9), ["/ctao/dpps/a"])
        assert [task.id for task in submitted.unfinished(ready_limit=2).tasks] == [
            "urgent.dl1.1",
            "night.dl1.1",
        ]

    def test_finished_work_is_not_unfinished(self, submitted: WorkStore) -> None:
        for step in ("night.dl1", "night.dl2"):
            submitted.set_transformation(step, TransformationState.CLOSED, reason="", at=LATER)
            submitted.set_transformation(step, TransformationState.FAILED, reason="no", at=LATER)
        submitted.set_production("night", ProductionState.FAILED, reason="no product", at=LATER)
        production = submitted.production("night")
        assert (production.state, production.finished_at) == (ProductionState.FAILED, LATER)
        assert submitted.unfinished(ready_limit=0).productions == {}

    def test_counts(self, submitted: WorkStore) -> None:
        job = submitted.start_attempt("night.dl1.1", START)
        submitted.succeed(job.id, success(), LATER)
        counts = submitted.counts()
        assert counts.tasks == {"publishing": 1, "ready": 1}
        assert counts.jobs == {"succeeded": 1}
        assert counts.exit_reasons == {"finished": 1}
        assert (counts.outbox, counts.outbox_oldest_at) == (1, LATER)

    def test_listeners_hear_of_changes(self, submitted: WorkStore) -> None:
        heard = threading.Event()
        end = submitted.listen(heard.set)
        try:
            assert self._hears(heard, submitted)
        finally:
            end()

    @staticmethod
    def _hears(heard: threading.Event, store: WorkStore) -> bool:
        # Some stores wake once when they begin to listen; what counts is the change after that.
        heard.wait(0.5)
        heard.clear()
        store.set_transformation("night.dl1", TransformationState.CLOSED, reason="", at=LATER)
        return heard.wait(30)
