"""The agent on parts in memory: real CWL, real storage, real publishing."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dpps.composition.workload import utc_now
from dpps.domain.errors import Unavailable
from dpps.domain.names import Lfn
from dpps.domain.work import ExitReason, JobState, ProductionState, TaskState
from dpps.testing.engine_contract import eventually
from dpps.testing.listed_production import listed_production
from dpps.testing.small_workload import copy_production, simulated
from dpps.workload import decisions
from dpps.workload.bundle import parse_bundle
from dpps.workload.progress import production_status
from dpps.workload.reporting import job_principal
from tests.unit.workload.conftest import Rig


def test_two_linked_transformations(rig: Rig, tmp_path: Path) -> None:
    inputs = [rig.system.archive(f"run{n}", f"events {n}\n".encode(), simulated(n)) for n in (1, 2)]
    plan = rig.system.submit(copy_production(tmp_path))
    assert rig.finish() is ProductionState.DONE
    status = production_status(rig.system.manager, rig.store, "night")
    assert [step.tasks for step in status.transformations] == [{"done": 2}, {"done": 2}]
    assert set(plan.transformations[0].output_names) < set(status.products)
    products = rig.system.catalogue.files([Lfn(name) for name in status.products])
    contents = {
        Path(file.replicas[0].pfn.removeprefix("file://localhost")).read_text()
        for file in products
        if file is not None
    }
    assert contents == {
        "events 1\nfirst\n",
        "events 2\nfirst\n",
        "events 1\nfirst\nsecond\n",
        "events 2\nfirst\nsecond\n",
    }
    lineage = {entry.lfn: entry.inputs for entry in rig.store.lineage("night")}
    assert {lfn.name for lfn in inputs} == {
        name for name, sources in lineage.items() if "/DL1/" in name for name in sources
    }
    assert all(file is not None and file.dataset for file in products), "products are attached"
    assert not [name for name in rig.system.stored_files() if "/tmp/" in name]


def test_tasks_of_a_table_become_products_that_others_read(rig: Rig, tmp_path: Path) -> None:
    path = listed_production(tmp_path)
    step = copy_production(tmp_path, name="unused").read_text().split("  - name: dl2")[1]
    path.write_text(path.read_text() + "  - name: dl2" + step.replace("dl1.copy", "simulate.events"))
    rig.system.submit(path)
    assert rig.finish("runs") is ProductionState.DONE
    status = production_status(rig.system.manager, rig.store, "runs")
    assert [step.tasks for step in status.transformations] == [{"done": 2}, {"done": 2}]
    products = [one for one in rig.system.catalogue.files([Lfn(name) for name in status.products]) if one]
    contents = {
        Path(one.replicas[0].pfn.removeprefix("file://localhost")).read_text(): one for one in products
    }
    assert set(contents) == {f"run {text}\n" for text in ("1 of 0.5", "2 of 1")} | {
        f"run {text}\nsecond\n" for text in ("1 of 0.5", "2 of 1")
    }
    simulated_run = contents["run 2 of 1\n"].metadata
    assert simulated_run["instance__obs_id"] == 102
    assert simulated_run["dpps__inputs"] == []
    assert contents["run 2 of 1\nsecond\n"].metadata["instance__obs_id"] == 102


def test_metadata_tell_what_was_done(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    plan = rig.system.submit(copy_production(tmp_path))
    rig.finish()
    (product,) = rig.system.catalogue.files([Lfn(plan.transformations[0].output_names[0])])
    assert product is not None
    assert product.metadata["activity__software__name"] == "sh"
    assert str(product.metadata["activity__configuration_id"]).startswith("sha256:")
    assert product.metadata["dpps__task"] == "night.dl1.1"
    assert product.metadata["data__level"] == "DL1"


def test_a_failing_payload_is_tried_three_times_and_explained(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path, exit_code=7))
    assert rig.finish() is ProductionState.FAILED
    (task,) = rig.store.tasks("night.dl1")
    assert task.state is TaskState.FAILED
    jobs = rig.store.jobs(task.id)
    assert [job.exit_reason for job in jobs] == [ExitReason.FAILED] * 3
    failure = production_status(rig.system.manager, rig.store, "night").transformations[0].failed[0]
    assert (failure.attempts, failure.exit_code, failure.exit_reason) == (3, 7, "failed")
    assert "copying" in " ".join(failure.log_tail)
    assert failure.next_step
    assert not [name for name in rig.system.stored_files() if "/tmp/" in name]
    assert "no inputs ever came" in rig.store.transformation("night.dl2").reason


def test_a_lost_report_is_recognised_and_the_task_repeated(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "_PATIENCE", (timedelta(0),))
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.lost_reports.add("night.dl1.1.1")
    rig.system.submit(copy_production(tmp_path))
    assert rig.finish() is ProductionState.DONE
    first, second = rig.store.jobs("night.dl1.1")
    assert (first.exit_reason, first.state) == (ExitReason.MISSING, JobState.FAILED)
    assert second.won
    assert len(rig.store.lineage("night")) == 2


def test_a_damaged_copy_is_passed_over(rig: Rig, tmp_path: Path) -> None:
    from dpps.data.ports import Registration
    from dpps.domain.files import FileContent

    lfn = rig.system.archive("run1", b"events\n", simulated(1), rse="CSCS")
    content = FileContent(size_bytes=7, adler32=f"{zlib.adler32(b'events' + bytes([10])):08x}")
    rig.system.path("PIC", lfn.name).parent.mkdir(parents=True)
    rig.system.path("PIC", lfn.name).write_bytes(b"events\n")
    rig.system.catalogue.register(
        [Registration(lfn=lfn, rse="PIC", content=content, metadata=simulated(1), dataset=lfn.parent)]
    )
    rig.system.path("CSCS", lfn.name).write_bytes(b"damage\n")
    rig.system.submit(copy_production(tmp_path))
    rig.finish()
    (job,) = rig.store.jobs("night.dl1.1")
    assert job.report is not None
    assert rig.system.url("PIC", lfn.name) in job.report.read_urls.values()


def test_an_input_that_nobody_has_fails_its_task_with_the_reason(rig: Rig, tmp_path: Path) -> None:
    lfn = rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.path("CSCS", lfn.name).unlink()
    rig.system.submit(copy_production(tmp_path))
    rig.system.agent.step()

    def one_job_ended() -> bool:
        rig.system.agent.step()
        return rig.store.jobs("night.dl1.1")[0].state is JobState.FAILED

    assert eventually(one_job_ended)
    job = rig.store.jobs("night.dl1.1")[0]
    assert job.exit_reason is ExitReason.INPUT
    assert lfn.name in job.detail


def test_a_bundle_holds_all_that_a_worker_needs(rig: Rig, tmp_path: Path) -> None:
    lfn = rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    rig.finish()
    bundle = parse_bundle(rig.bundles[0])
    assert bundle.inputs["source"].files[0].urls == (rig.system.url("CSCS", lfn.name),)
    folder = "/".join(["", "ctao", "tmp", "night", "dl1.1", "1"])
    place = bundle.outputs["copy"]
    assert place.upload_url == rig.system.url("CSCS", f"{folder}/{place.name}")
    assert bundle.parameters["copy_filename"] == place.name
    assert rig.system.tokens.verify(bundle.token) == job_principal(bundle.job)


def test_a_restarted_engine_loses_jobs_that_are_attempted_again(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    # As if the service had been killed right after the attempt was recorded.
    rig.store.start_attempt("night.dl1.1", utc_now())
    assert rig.finish() is ProductionState.DONE
    first, second = rig.store.jobs("night.dl1.1")
    assert (first.state, first.exit_reason) == (JobState.LOST, ExitReason.LOST)
    assert second.won


def test_publishing_can_be_repeated_after_a_kill(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    published = rig.store.published
    killed: list[str] = []

    def kill_once(task: str, products: object, at: datetime) -> None:
        if not killed:
            killed.append(task)
            raise Unavailable("killed after the archive knew, before the store did")
        published(task, products, at)  # type: ignore[arg-type]

    rig.store.published = kill_once  # type: ignore[method-assign]

    def ended() -> bool:
        try:
            rig.system.agent.step()
        except Unavailable:
            return False
        return rig.store.production("night").state is not ProductionState.ACTIVE

    assert eventually(ended)
    assert killed
    assert rig.store.production("night").state is ProductionState.DONE
    assert len(rig.store.lineage("night")) == 2


def test_a_product_that_left_the_catalogue_ends_its_step_and_not_the_agent(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))

    def first_step_done() -> bool:
        rig.system.agent.step()
        return rig.store.task("night.dl1.1").state is TaskState.DONE

    files = rig.system.catalogue.files
    rig.system.catalogue.files = lambda lfns: [  # type: ignore[method-assign]
        None if "/DL1/" in lfn.name and rig.store.lineage("night") else file
        for lfn, file in zip(lfns, files(lfns), strict=True)
    ]
    assert eventually(first_step_done)
    assert rig.finish() is ProductionState.PARTIAL
    assert "the catalogue does not know" in rig.store.audit("night")[-3].reason


def test_a_cwl_input_may_have_any_name(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    path = copy_production(tmp_path)
    for file in (path, tmp_path / "copy.cwl"):
        text = (
            file.read_text()
            .replace("source:", "configuration:")
            .replace("inputs.source", "inputs.configuration")
        )
        file.write_text(text)
    rig.system.submit(path)
    assert rig.finish() is ProductionState.DONE
