from __future__ import annotations

import json
from collections.abc import Callable

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from dpps.data.ingest.crew import CallerCrew
from dpps.data.ports import Catalogue
from dpps.data.query import EVERYTHING
from dpps.domain.errors import Unavailable
from dpps.services.ingest.__main__ import build_application
from dpps.services.ingest.handover import HandoverWork, IngestParts
from dpps.services.ingest.metrics import IngestMetrics
from dpps.services.loop import Loop, Pace
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.conftest import Archive


class NoWorkers(CallerCrew):
    def rest(self) -> None: ...

    def close(self) -> None: ...


def parts_of(archive: Archive, connect: Callable[[], Catalogue] | None = None) -> IngestParts:
    from dpps.adapters.eventio.simtel import SimtelInspector
    from dpps.data.ingest.values import IngestSettings

    return IngestParts(
        principal=archive.principal,
        connect=connect or (lambda: archive.catalogue),
        storage=archive.storage,
        inspectors=[SimtelInspector()],
        policy=lambda: archive.policy,
        settings=IngestSettings(handover=archive.handover, vo="ctao"),
        crew=NoWorkers(),
    )


def test_waiting_grows_when_idle_and_is_short_after_work() -> None:
    pace = Pace(shortest_seconds=1.0, longest_seconds=5.0)
    assert [pace.after(worked=False) for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert [pace.after(worked=True), pace.after(worked=False)] == [1.0, 2.0]


def test_files_are_taken_and_counted(archive: Archive) -> None:
    metrics = IngestMetrics()
    parts = parts_of(archive)
    announce(make_simtel(archive.handover / "a.simtel", run=1))
    (archive.handover / "b.simtel").write_bytes(b"")
    announce(archive.handover / "b.simtel")
    handover = HandoverWork(parts, metrics)
    assert handover(archive.catalogue)
    assert not handover(archive.catalogue)
    text = metrics.text().decode()
    assert 'dpps_ingest_files_total{outcome="ingested"} 1.0' in text
    assert 'dpps_ingest_files_total{outcome="quarantined"} 1.0' in text
    for name, value in {"success": 1, "failed": 0, "cancelled": 0, "skipped": 1, "processed": 2}.items():
        assert f"n_tasks_{name}_total {value}.0" in text
    assert f"bytes_ingested_total {float((archive.handover / 'a.simtel').stat().st_size)}" in text
    assert "n_tasks_queued 0.0" in text


def test_an_outage_is_told_waited_out_and_followed_by_a_new_connection(archive: Archive) -> None:
    answers: list[Catalogue | None] = [None, None, archive.catalogue]

    def connect() -> Catalogue:
        answer = answers.pop(0)
        if answer is None:
            raise Unavailable("the catalogue is down")
        return answer

    parts = parts_of(archive, connect)
    announce(make_simtel(archive.handover / "a.simtel"))
    metrics = IngestMetrics()
    pace = Pace(shortest_seconds=0.5, longest_seconds=5.0)
    loop = Loop(parts.connect, HandoverWork(parts, metrics), pace, metrics)
    assert loop.trouble is not None
    assert [loop.round(), loop.round()] == [1.0, 2.0]
    assert loop.trouble == "the catalogue is down"
    assert loop.round() == 0.5
    assert loop.trouble is None
    assert len(archive.catalogue.find(EVERYTHING)) == 1


def test_health_tells_the_trouble_and_refusals_their_reasons(archive: Archive) -> None:
    metrics = IngestMetrics()
    parts = parts_of(archive)
    (archive.handover / "b.simtel").write_bytes(b"")
    announce(archive.handover / "b.simtel")
    work = HandoverWork(parts, metrics)
    loop = Loop(parts.connect, work, Pace(shortest_seconds=0.5, longest_seconds=5.0), metrics)
    application = build_application(loop, metrics, work)
    assert ask(application, "/healthz")[0] == 503
    loop.round()
    assert ask(application, "/healthz") == (200, "ok")
    assert "dpps_ingest_files_total" in ask(application, "/metrics")[1]
    announce(archive.handover / "gone.simtel")
    loop.round()
    waiting, quarantined = json.loads(ask(application, "/refused")[1])
    assert waiting["code"] == "handed-file-missing"
    assert waiting["path"].endswith("gone.simtel")
    assert quarantined["quarantine"] == str(archive.handover / "quarantine/b.simtel")
    assert "b.simtel: it is empty" in quarantined["message"]
    assert quarantined["next_step"]


def ask(application: Starlette, path: str) -> tuple[int, str]:
    async def get() -> tuple[int, str]:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            answer = await client.get(path)
        return answer.status_code, answer.text

    return anyio.run(get)


@pytest.mark.parametrize("worked", [True, False])
def test_a_pace_never_exceeds_its_longest(worked: bool) -> None:
    pace = Pace(shortest_seconds=2.0, longest_seconds=3.0)
    assert max(pace.after(worked=worked) for _ in range(5)) <= 3.0
