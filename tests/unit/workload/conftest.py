"""A small system for tests of the agent: real CWL, real storage, real publishing, the rest in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dpps.adapters.cwltool.runner import CwltoolRunner
from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.composition.job_storage import build_job_storage
from dpps.composition.workload import utc_now
from dpps.domain.errors import Unavailable
from dpps.domain.work import ProductionState
from dpps.testing.engine_contract import eventually
from dpps.testing.small_workload import SmallWorkload, small_storages
from dpps.workload.bundle import JobReport, JobStart, parse_bundle
from dpps.workload.context import WorkloadContext
from dpps.workload.reporting import finish_job, job_principal
from dpps.workload.running import WorkerTools, run_job
from dpps.workload.starting import begin_job


class DirectChannel:
    """Reports without a network, losing what a test wants to be lost."""

    def __init__(self, context: WorkloadContext, job: str, lose: Callable[[str], bool]) -> None:
        self._context = context
        self._store = context.store
        self._job = job
        self._lose = lose

    def start(self, host: str, at: datetime) -> JobStart:
        return begin_job(job_principal(self._job), self._context, self._job)

    def finish(self, report: JobReport) -> bool:
        if self._lose(self._job):
            raise Unavailable("nobody answers")
        return finish_job(job_principal(self._job), self._store, self._job, report, now=utc_now())


class Rig:
    """A small system whose jobs run in a thread of this process."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryWorkStore()
        self.runner = CwltoolRunner()
        self.lost_reports: set[str] = set()
        self.bundles: list[str] = []
        self.engine = MemoryEngine(self._run)
        self.system = SmallWorkload(
            datasets=MemoryNamedDatasets(),
            folder=folder,
            catalogue=MemoryCatalogue(small_storages(folder)),
            store=self.store,
            engine=self.engine,
        )

    def _run(self, text: str) -> None:
        self.bundles.append(text)
        bundle = parse_bundle(text)
        channel = DirectChannel(self.system.context, bundle.job, self.lost_reports.__contains__)
        run_job(
            bundle,
            WorkerTools(open_storage=build_job_storage, runner=self.runner, channel=channel, clock=utc_now),
        )

    def finish(self, name: str = "night") -> ProductionState:
        """Let the agent work until a production has ended."""

        def ended() -> bool:
            self.system.agent.step()
            return self.store.production(name).state is not ProductionState.ACTIVE

        assert eventually(ended)
        return self.store.production(name).state


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.engine.stop()
