"""A production is cancelled: nothing begins any more, what runs is ended, what is done stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dpps.cli.production_text import cancellation_lines, status_lines
from dpps.composition.workload import utc_now
from dpps.domain.errors import Conflict, NotAuthorized, NotFound
from dpps.domain.principals import Principal, Role
from dpps.domain.work import ExitReason, JobState, ProductionState, TaskState
from dpps.testing.engine_contract import eventually
from dpps.testing.small_workload import copy_production, endless_production, simulated
from dpps.workload.progress import production_status
from dpps.workload.steering import Cancellation, cancel_production
from dpps.workload.stopping import SANDBOXES, stop_file
from tests.unit.workload.conftest import Rig


def cancel(rig: Rig, name: str = "night") -> Cancellation:
    return cancel_production(rig.system.manager, rig.store, name, now=utc_now())


@pytest.fixture
def sandboxes(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "sandboxes"
    folder.mkdir()
    monkeypatch.setenv(SANDBOXES, str(folder))
    yield folder
    for job in rig.engine.known():
        stop_file(folder, job).touch()


def test_jobs_that_run_are_ended_and_those_that_wait_are_withdrawn(
    rig: Rig, tmp_path: Path, sandboxes: Path
) -> None:
    for number in (1, 2):
        rig.system.archive(f"run{number}", b"events\n", simulated(number))
    rig.system.submit(endless_production(tmp_path, name="night"))
    rig.system.agent.step()
    first, second = (rig.store.jobs(f"night.dl1.{number}")[0].id for number in (1, 2))
    assert eventually(lambda: any("begun" in log.read_text() for log in sandboxes.rglob("log.txt")))

    answer = cancel(rig)
    assert (answer.state, answer.changed, answer.products) == (ProductionState.CANCELLED, True, 0)
    assert answer.tasks == {TaskState.CANCELLED: 2}
    assert list(cancellation_lines(answer))[1] == "  tasks: 2 cancelled"
    rig.system.agent.step()
    assert [end.job for end in rig.engine.collect()] == [second], "it had not begun"
    stop_file(sandboxes, first).touch()  # what an engine does whose workers are processes

    def over() -> bool:
        rig.system.agent.step()
        return not rig.engine.known()

    assert eventually(over)
    assert len(rig.bundles) == 1
    for job in (first, second):
        ended = rig.store.job(job)
        assert (ended.state, ended.exit_reason) == (JobState.FAILED, ExitReason.KILLED)
        assert ended.detail == "cancelled by alice"
        assert len(rig.store.jobs(ended.task)) == 1, "it is not attempted again"
    assert not list(sandboxes.glob("dpps-job-*"))
    assert not [name for name in rig.system.stored_files() if "/SIM/" not in name]
    told = "\n".join(status_lines(production_status(rig.system.manager, rig.store, "night")))
    assert "production night is cancelled: cancelled by alice" in told
    assert "dl1 is cancelled; tasks: 2 cancelled" in told


def test_what_was_done_stays_and_its_names_stay_taken(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))

    def first_step_is_done() -> bool:
        rig.system.agent.step()
        return bool(rig.store.lineage("night"))

    assert eventually(first_step_is_done)
    answer = cancel(rig)
    assert answer.products == len(rig.store.lineage("night")) == 1
    (product,) = rig.store.lineage("night")
    assert product.lfn in rig.system.stored_files()
    again = rig.system.submit(copy_production(tmp_path, name="again"))
    assert again.definition.transformations[0].pass_number == 2


def test_names_that_a_cancelled_production_promised_are_free(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    cancel(rig)
    path = copy_production(tmp_path, name="again")
    path.write_text("pass: 1\n" + path.read_text())
    rig.system.submit(path)
    assert rig.finish("again") is ProductionState.DONE


def test_it_may_be_said_twice_and_comes_too_late_for_what_has_ended(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    first = cancel(rig)
    assert cancel(rig) == first.model_copy(update={"changed": False})
    rig.system.submit(copy_production(tmp_path, name="other"))
    rig.finish("other")
    with pytest.raises(Conflict, match="'other' is done"):
        cancel(rig, "other")
    with pytest.raises(NotFound):
        cancel(rig, "nothing")


def test_readers_may_not_cancel(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(copy_production(tmp_path))
    reader = Principal(name="eve", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized, match=r"production\.steer"):
        cancel_production(reader, rig.store, "night", now=utc_now())
    assert rig.store.production("night").state is ProductionState.ACTIVE
