"""A job gets what opens the storages when it starts, however long it has waited and however often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.adapters.cwltool.runner import CwltoolRunner
from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.composition.job_storage import build_job_storage
from dpps.data.ports import Storage
from dpps.domain.errors import NotAuthorized, Unavailable
from dpps.domain.work import ExitReason, JobState
from dpps.testing.small_workload import SmallWorkload, copy_production, simulated, small_storages
from dpps.workload.bundle import JobBundle, JobReport, JobStart, StorageAccess, parse_bundle
from dpps.workload.context import StorageNeeds, WorkloadContext
from dpps.workload.reporting import job_principal
from dpps.workload.running import WorkerTools, run_job
from dpps.workload.starting import begin_job, folders_of

JOB = "night.dl1.1.1"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Waiting:
    """A job that waits in an engine, at a system whose storages are servers."""

    context: WorkloadContext
    bundle: JobBundle
    needs: list[StorageNeeds]
    now: datetime = NOW

    def start(self) -> JobStart:
        return begin_job(job_principal(JOB), self.context, JOB)


@pytest.fixture
def waiting(tmp_path: Path) -> Waiting:
    bundles: list[str] = []
    needs: list[StorageNeeds] = []
    system = SmallWorkload(
        datasets=MemoryNamedDatasets(),
        folder=tmp_path / "system",
        catalogue=MemoryCatalogue(small_storages(tmp_path / "system")),
        store=MemoryWorkStore(),
        engine=MemoryEngine(bundles.append),
        clock=lambda: made.now,
    )

    def access(wanted: StorageNeeds) -> StorageAccess:
        needs.append(wanted)
        until = made.now + timedelta(seconds=wanted.seconds)
        return StorageAccess(authority="", tokens={"https://a:1": f"until {until.isoformat()}"})

    made = Waiting(replace(system.context, storage_access=access), None, needs)  # type: ignore[arg-type]
    system.archive("run1", b"events\n", simulated(1))
    (tmp_path / "in").mkdir()
    system.submit(copy_production(tmp_path / "in", extra="resources: {wall_seconds: 3600}"))
    system.agent.step()
    system.engine.stop()
    made.bundle = parse_bundle(bundles[0])
    return made


def test_a_bundle_holds_nothing_that_opens_storages(waiting: Waiting) -> None:
    assert "storage" not in waiting.bundle.model_dump()
    assert not waiting.needs


def test_the_access_counts_from_the_start_not_from_the_bundle(waiting: Waiting) -> None:
    waiting.now = NOW + timedelta(days=60)
    answer = waiting.start()

    assert answer.storage is not None
    (until,) = answer.storage.tokens.values()
    assert datetime.fromisoformat(until.removeprefix("until ")) > waiting.now + timedelta(seconds=3600)
    (needs,) = waiting.needs
    assert (needs.job, needs.reads, needs.writes) == (JOB, ("/ctao/dpps/SIM",), "/ctao/tmp/night/dl1.1/1")


def test_a_second_start_is_given_fresh_access(waiting: Waiting) -> None:
    first = waiting.start()
    waiting.now = NOW + timedelta(days=1)

    second = waiting.start()

    assert second.wanted
    assert second.storage is not None
    assert second.storage != first.storage


def test_a_job_that_is_not_wanted_gets_nothing(waiting: Waiting) -> None:
    waiting.context.store.set_job(JOB, JobState.LOST, at=NOW, exit_reason=ExitReason.LOST, detail="")

    assert waiting.start() == JobStart(wanted=False)
    assert not waiting.needs


def test_another_job_gets_nothing(waiting: Waiting) -> None:
    with pytest.raises(NotAuthorized):
        begin_job(job_principal("night.dl1.2.1"), waiting.context, JOB)
    assert not waiting.needs


class Line:
    """A channel whose start ends as a test wants."""

    def __init__(self, start: Callable[[], JobStart]) -> None:
        self._start = start
        self.reports: list[JobReport] = []

    def start(self, host: str, at: datetime) -> JobStart:
        return self._start()

    def finish(self, report: JobReport) -> bool:
        self.reports.append(report)
        return True


def silence() -> JobStart:
    raise Unavailable("nobody answers")


def on_servers(bundle: JobBundle) -> JobBundle:
    """Return a bundle whose output goes to a server."""
    outputs = {
        name: output.model_copy(update={"upload_url": f"https://a:1/ctao/tmp/{output.name}"})
        for name, output in bundle.outputs.items()
    }
    return bundle.model_copy(update={"outputs": outputs})


def run(bundle: JobBundle, line: Line, open_storage: Callable[[StorageAccess | None], Storage]) -> None:
    tools = WorkerTools(open_storage=open_storage, runner=CwltoolRunner(), channel=line, clock=lambda: NOW)
    run_job(bundle, tools)


def test_the_worker_opens_storages_with_the_answer(waiting: Waiting) -> None:
    given: list[StorageAccess | None] = []

    def open_storage(access: StorageAccess | None) -> Storage:
        given.append(access)
        return build_job_storage()

    answer = waiting.start()
    line = Line(lambda: answer)
    run(waiting.bundle, line, open_storage)

    assert given == [answer.storage]
    assert [report.exit_reason for report in line.reports] == [ExitReason.FINISHED]


def test_without_an_answer_folders_are_used_and_servers_are_not(waiting: Waiting) -> None:
    line = Line(silence)
    run(waiting.bundle, line, build_job_storage)
    assert [report.exit_reason for report in line.reports] == [ExitReason.FINISHED]

    with pytest.raises(Unavailable):
        run(on_servers(waiting.bundle), line, build_job_storage)
    assert len(line.reports) == 1


_PARTS = st.sampled_from(["a", "b", "c", "d"])
_NAMES = st.lists(
    st.lists(_PARTS, min_size=1, max_size=5).map(lambda parts: "/ctao/dpps/" + "/".join(parts)), min_size=1
)


@given(_NAMES, st.integers(1, 8))
def test_few_folders_hold_all_inputs(names: list[str], limit: int) -> None:
    folders = folders_of(names, limit)

    assert len(folders) <= limit
    assert all(any(name.startswith(f"{folder}/") for folder in folders) for name in names)
    assert all(folder.startswith("/ctao/dpps") for folder in folders)
    assert not any(one.startswith(f"{other}/") for one in folders for other in folders)
