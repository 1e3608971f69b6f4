"""Reports of jobs have limits, each told by name; a job's token lives as long as its attempt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.domain.work import ExitReason, JobState
from dpps.services.limited_bodies import LimitedBodies
from dpps.services.workload.application import build_application
from dpps.services.workload.driver import AgentDriver
from dpps.testing.small_workload import SmallWorkload, copy_production, simulated, small_storages
from dpps.workload.bundle import PROVENANCE_CHARACTERS, SOFTWARE_ENTRIES

JOB = "night.dl1.1.1"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPORT: dict[str, Any] = {
    "exit_reason": ExitReason.KILLED.value,
    "started_at": NOW.isoformat(),
    "finished_at": NOW.isoformat(),
    "wall_seconds": 1.0,
}


@dataclass
class Api:
    """The workload API with one job that waits in the engine."""

    application: FastAPI
    store: MemoryWorkStore
    token: str
    now: datetime = NOW

    def post(self, verb: str, body: object) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.post(
                    f"/jobs/{JOB}/{verb}", json=body, headers={"Authorization": f"Bearer {self.token}"}
                )

        return anyio.run(call)


@pytest.fixture
def api(tmp_path: Path) -> Api:
    bundles: list[str] = []
    store = MemoryWorkStore()
    system = SmallWorkload(
        datasets=MemoryNamedDatasets(),
        folder=tmp_path / "system",
        catalogue=MemoryCatalogue(small_storages(tmp_path / "system")),
        store=store,
        engine=MemoryEngine(bundles.append),
        clock=lambda: made.now,
    )
    driver = AgentDriver(system.context, prepare=lambda: None, on_death=lambda: None)
    made = Api(build_application(system.context, driver, system.tokens.verify), store, "")
    system.archive("run1", b"events\n", simulated(1))
    (tmp_path / "in").mkdir()
    system.submit(copy_production(tmp_path / "in"))
    system.agent.step()
    system.engine.stop()
    made.token = json.loads(bundles[0])["token"]
    return made


def test_a_job_that_waited_for_weeks_is_heard(api: Api) -> None:
    api.now = NOW + timedelta(days=60)
    assert api.post("start", {"host": "worker", "at": api.now.isoformat()}).json()["wanted"]
    assert api.post("report", REPORT).status_code == 200
    assert api.store.job(JOB).state is JobState.FAILED


def test_the_token_of_an_attempt_that_is_over_changes_nothing(api: Api) -> None:
    api.store.set_job(JOB, JobState.FAILED, at=NOW, exit_reason=ExitReason.LOST, detail="the worker is gone")
    before = api.store.job(JOB)
    assert api.post("start", {"host": "worker", "at": NOW.isoformat()}).json() == {
        "wanted": False,
        "storage": None,
    }
    assert api.post("report", REPORT).json() == {"wanted": False}
    assert api.store.job(JOB) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "h" * 300),
        ("software", {f"library-{number}": "1" for number in range(SOFTWARE_ENTRIES + 1)}),
        ("software", {"library": "1" * 5000}),
        ("provenance", {"record": "p" * (PROVENANCE_CHARACTERS + 1)}),
        ("provenance", {f"record-{number}": "p" for number in range(30)}),
        ("read_urls", {"/ctao/x": "u" * 5000}),
        ("log_tail", "l" * 30_000),
        ("nonsense", 1),
    ],
)
def test_a_report_beyond_a_limit_is_refused_by_the_name_of_its_field(
    api: Api, field: str, value: object
) -> None:
    answer = api.post("report", {**REPORT, field: value})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "message-invalid"
    assert field in error["message"]
    assert len(error["message"]) < 3000
    assert api.store.job(JOB).report is None


def test_a_body_beyond_the_limit_is_not_even_read(api: Api) -> None:
    limited = FastAPI()

    @limited.post("/jobs/{job}/report")
    def report(job: str, message: dict[str, Any]) -> dict[str, int]:
        return {"keys": len(message)}

    limited.add_middleware(LimitedBodies, limit_bytes=1000)
    api.application = limited
    assert api.post("report", {"a": "x" * 100}).json() == {"keys": 1}
    refused = api.post("report", {"a": "x" * 1000})
    assert refused.status_code == 413
    assert refused.json()["error"]["next_step"]
