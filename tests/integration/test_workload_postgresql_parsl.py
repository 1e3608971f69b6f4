"""A production on PostgreSQL and Parsl, with the API between agent and workers; and what a kill does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.parsl.engine import ParslEngine
from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.work_store import SqlWorkStore
from dpps.data.ports import Catalogue
from dpps.domain.principals import Principal, Role
from dpps.domain.work import ExitReason, JobState, ProductionState
from dpps.services.job import run_bundle
from dpps.services.workload.application import build_application
from dpps.services.workload.driver import AgentDriver
from dpps.testing.engine_contract import eventually
from dpps.testing.postgresql import fresh_database, postgresql_cluster
from dpps.testing.small_workload import (
    SmallWorkload,
    copy_production,
    endless_production,
    serving,
    simulated,
    small_storages,
)

__all__ = ["fresh_database", "postgresql_cluster"]

pytestmark = [pytest.mark.postgresql, pytest.mark.parsl]


@dataclass(kw_only=True)
class Service:
    """One life of the workload service."""

    system: SmallWorkload
    store: SqlWorkStore
    driver: AgentDriver
    url: str

    def ended(self, name: str = "night") -> Callable[[], bool]:
        return lambda: self.store.production(name).state is not ProductionState.ACTIVE

    def token(self, *roles: Role) -> dict[str, str]:
        principal = Principal(name="someone", roles=frozenset(roles))
        return {"Authorization": f"Bearer {self.system.tokens.for_principal(principal, 600)}"}


@contextmanager
def life(folder: Path, url: str, catalogue: Catalogue | None = None) -> Iterator[Service]:
    """Run the service, as its program does, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    engine = build_engine(url)
    store = SqlWorkStore(engine)
    system = SmallWorkload(
        datasets=MemoryNamedDatasets(),
        folder=folder,
        catalogue=catalogue or MemoryCatalogue(small_storages(folder)),
        store=store,
        engine=ParslEngine(run_bundle, folder / "parsl", workers=2),
        report_base_url=f"http://127.0.0.1:{port}",
    )
    driver = AgentDriver(system.context, prepare=lambda: migrate(url), on_death=lambda: None)
    application = build_application(system.context, driver, system.tokens.verify)
    with serving(application, port):
        driver.start()
        assert eventually(lambda: driver.health.healthy)
        try:
            yield Service(system=system, store=store, driver=driver, url=f"http://127.0.0.1:{port}")
        finally:
            driver.stop()
            engine.dispose()


def test_a_production_and_its_api(tmp_path: Path, fresh_database: str) -> None:
    with life(tmp_path, fresh_database) as service:
        for number in (1, 2, 3):
            service.system.archive(f"run{number}", f"events {number}\n".encode(), simulated(number))
        service.system.submit(copy_production(tmp_path))
        assert eventually(service.ended())
        reader = service.token(Role.READER)
        status = httpx.get(f"{service.url}/productions/night", headers=reader).json()
        assert status["production"]["state"] == "done"
        assert len(status["products"]) == 6
        (listed,) = httpx.get(f"{service.url}/productions", headers=reader).json()
        assert (listed["tasks"], listed["done"], listed["failed"]) == (6, 6, 0)
        assert httpx.get(f"{service.url}/healthz").json() == {"healthy": True, "reason": ""}
        figures = httpx.get(f"{service.url}/metrics").text
        assert 'dpps_workload_tasks{state="done"} 6.0' in figures
        assert 'dpps_workload_job_ends{exit_reason="finished"} 6.0' in figures
        assert "dpps_workload_outbox 0.0" in figures
        assert "/jobs/{job}/report" in httpx.get(f"{service.url}/openapi.json").json()["paths"]


def test_who_may_do_what(tmp_path: Path, fresh_database: str) -> None:
    with life(tmp_path, fresh_database) as service:
        assert httpx.get(f"{service.url}/productions").status_code == 403
        forged = {"Authorization": "Bearer e30.e30.e30"}
        assert httpx.get(f"{service.url}/productions", headers=forged).status_code == 403
        ingest = service.token(Role.INGEST)
        answer = httpx.get(f"{service.url}/productions", headers=ingest)
        assert answer.status_code == 403
        assert "reader" in answer.json()["error"]["next_step"]
        missing = httpx.get(f"{service.url}/productions/none", headers=service.token(Role.READER))
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "not-found"


def test_submission_through_the_api(tmp_path: Path, fresh_database: str) -> None:
    from dpps.workload.production_file import read_production

    with life(tmp_path, fresh_database) as service:
        service.system.archive("run1", b"events\n", simulated(1))
        definition, _ = read_production(copy_production(tmp_path), service.system.processes)
        message = {"definition": definition.model_dump(mode="json", by_alias=True)}
        refused = httpx.post(
            f"{service.url}/productions", json=message, headers=service.token(Role.READER), timeout=60
        )
        assert refused.status_code == 403
        manager = service.token(Role.PRODUCTION_MANAGER)
        taken = httpx.post(f"{service.url}/productions", json=message, headers=manager, timeout=60)
        assert taken.status_code == 201, taken.text
        assert taken.json()["transformations"][0]["tasks"] == 1
        again = httpx.post(f"{service.url}/productions", json=message, headers=manager, timeout=60)
        assert again.status_code == 409
        assert eventually(service.ended())


def test_cancelling_through_the_api_ends_the_payload(tmp_path: Path, fresh_database: str) -> None:
    with life(tmp_path, fresh_database) as service:
        service.system.archive("run1", b"events\n", simulated(1))
        service.system.submit(endless_production(tmp_path))
        logs = tmp_path / "parsl" / "sandboxes"
        assert eventually(lambda: any("begun" in log.read_text() for log in logs.rglob("log.txt")))
        url = f"{service.url}/productions/endless/cancel"
        assert httpx.post(url, headers=service.token(Role.READER)).status_code == 403
        manager = service.token(Role.PRODUCTION_MANAGER)
        answers = [httpx.post(url, headers=manager).json() for _ in range(2)]
        assert [answer["changed"] for answer in answers] == [True, False]
        assert answers[0]["tasks"] == {"cancelled": 1}
        assert eventually(lambda: not service.system.engine.known())
        assert not list(logs.iterdir()), "payload and sandbox are gone"
        ended = httpx.get(f"{service.url}/productions/endless", headers=manager).json()
        assert ended["production"]["state"] == "cancelled"


def test_a_killed_service_resumes(tmp_path: Path, fresh_database: str) -> None:
    """The first life ends while a job runs; the second recognises the loss and finishes the work."""
    path = copy_production(tmp_path)
    document = tmp_path / "copy.cwl"
    # The first attempt waits for a file that the test never makes before the kill.
    gate = tmp_path / "gate"
    document.write_text(
        document.read_text().replace(
            "echo copying;", f"touch {gate}.waiting; while [ ! -e {gate} ]; do sleep 0.05; done;"
        )
    )
    with life(tmp_path, fresh_database) as first:
        catalogue = first.system.catalogue
        first.system.archive("run1", b"events\n", simulated(1))
        first.system.submit(path)
        assert eventually(Path(f"{gate}.waiting").exists)
        payloads = [
            process
            for process in psutil.process_iter(["cmdline"])
            if str(gate) in " ".join(process.info["cmdline"] or [])
        ]
        assert payloads
    assert eventually(lambda: not any(process.is_running() for process in payloads))
    gate.touch()
    with life(tmp_path, fresh_database, catalogue) as second:
        assert eventually(second.ended())
        assert second.store.production("night").state is ProductionState.DONE
        jobs = second.store.jobs("night.dl1.1")
        assert (jobs[0].state, jobs[0].exit_reason) == (JobState.LOST, ExitReason.LOST)
        assert jobs[-1].won
        assert len(second.store.lineage("night")) == 2
