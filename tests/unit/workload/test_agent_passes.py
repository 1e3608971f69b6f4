"""Names of products are given once: passes, promises, and what a job may publish."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from dpps.composition.workload import utc_now
from dpps.domain.errors import Conflict, InvalidInput
from dpps.domain.work import ExitReason, ProductionState, TaskState
from dpps.testing.small_workload import copy_production, simulated
from dpps.workload.bundle import JobReport, ReportedOutput
from dpps.workload.planning import summarize_plan
from dpps.workload.reporting import finish_job, job_principal
from tests.unit.workload.conftest import Rig


def test_a_second_production_takes_the_next_pass(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    rig.finish()
    again = rig.system.submit(copy_production(tmp_path, name="again"))
    assert summarize_plan(again)["pass"] == 2
    assert rig.finish("again") is ProductionState.DONE


def test_a_prescribed_pass_is_not_used_twice(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    rig.finish()
    path = copy_production(tmp_path, name="again")
    path.write_text("pass: 1\n" + path.read_text())
    with pytest.raises(Conflict, match="pass 1"):
        rig.system.submit(path)


def test_two_tasks_with_one_product_name_are_refused(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1a", b"a\n", simulated(1))
    rig.system.archive("run1b", b"b\n", simulated(1))
    with pytest.raises(InvalidInput, match="two tasks would give the same product"):
        rig.system.submit(copy_production(tmp_path))
    assert rig.store.productions() == []


def test_productions_submitted_together_take_different_passes(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    plans = [rig.system.submit(copy_production(tmp_path, name=name)) for name in ("one", "two")]
    assert [summarize_plan(plan)["pass"] for plan in plans] == [1, 2]
    assert [rig.finish(name) for name in ("one", "two")] == [ProductionState.DONE] * 2


def test_a_prescribed_pass_that_another_production_works_on_is_refused(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    path = copy_production(tmp_path, name="again")
    path.write_text("pass: 1\n" + path.read_text())
    with pytest.raises(Conflict, match=r"night\.dl1\.1"):
        rig.system.submit(path)
    assert [known.name for known in rig.store.productions()] == ["night"]


def test_what_a_failed_task_promised_may_be_tried_by_another(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path, exit_code=7))
    rig.finish()
    path = copy_production(tmp_path, name="again")
    path.write_text("pass: 1\n" + path.read_text())
    rig.system.submit(path)
    assert rig.finish("again") is ProductionState.DONE


def test_a_product_that_another_production_published_fails_the_task_and_not_the_agent(
    rig: Rig, tmp_path: Path
) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    rig.finish()
    (first,) = rig.store.lineage("night")[:1]
    content = ["production: late", *copy_production(tmp_path, name="late").read_text().splitlines()[2:]]
    (tmp_path / "late.yaml").write_text("\n".join(content))
    rig.system.submit(tmp_path / "late.yaml")
    taken = replace(first, task="late.dl1.1", job="late.dl1.1.1")
    job = rig.store.start_attempt("late.dl1.1", utc_now())
    report = rig.store.job(first.job).report
    assert report is not None
    rig.store.succeed(job.id, report, utc_now())
    with pytest.raises(Conflict, match="night"):
        rig.store.published("late.dl1.1", [taken], utc_now())
    assert rig.store.task("late.dl1.1").state is TaskState.PUBLISHING


def test_a_job_can_publish_only_what_it_was_told_to_write(rig: Rig, tmp_path: Path) -> None:
    source = rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    job = rig.store.start_attempt("night.dl1.1", utc_now())
    report = JobReport(
        exit_reason=ExitReason.FINISHED,
        outputs=(
            ReportedOutput(
                output="copy",
                name="x.h5",
                url=rig.system.url("CSCS", source.name),
                size_bytes=7,
                adler32=f"{zlib.adler32(b'events' + bytes([10])):08x}",
            ),
        ),
        started_at=utc_now(),
        finished_at=utc_now(),
        wall_seconds=0,
        software={"sh": "1"},
    )
    assert finish_job(job_principal(job.id), rig.store, job.id, report, now=utc_now())
    rig.system.agent.step()
    assert rig.system.path("CSCS", source.name).read_bytes() == b"events\n", "the archive is untouched"
    task = rig.store.task("night.dl1.1")
    assert task.state is TaskState.FAILED
    assert "was told to write" in task.reason
