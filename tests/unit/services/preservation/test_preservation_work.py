from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from dpps.adapters.memory.changes import MemoryChanges
from dpps.adapters.memory.preservation import MemoryDatasetStates
from dpps.composition.instance import Endpoint
from dpps.composition.preservation import ArchiveConnection, PolicyInForce, PreservationParts
from dpps.data.audit.records import AuditEvent, ListedFile
from dpps.data.audit.verifying import AuditSettings
from dpps.data.policy.reading import packaged_policy_text
from dpps.domain.errors import InvalidInput, Unavailable
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.services.loop import Loop, Pace
from dpps.services.preservation.__main__ import build_application, held_up
from dpps.services.preservation.metrics import PreservationMetrics
from dpps.services.preservation.work import AuditWork, KeepingWork, SurveyWork
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.audit.conftest import Audit
from tests.unit.data.conftest import Archive, archive

__all__ = ["archive"]


@dataclass
class Service:
    """The work of the service over an archive in memory."""

    audit: Audit
    parts: PreservationParts
    connection: ArchiveConnection
    changes: MemoryChanges
    metrics: PreservationMetrics

    @property
    def keeping(self) -> KeepingWork:
        return KeepingWork(self.parts, self.metrics)

    def measured(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


@pytest.fixture
def service(archive: Archive, tmp_path: Path) -> Service:
    audit = Audit(archive)
    changes = MemoryChanges()
    connection = ArchiveConnection(
        catalogue=archive.catalogue, changes=changes, control=audit.control, keeper=archive.keeper
    )
    parts = PreservationParts(
        principal=archive.principal,
        endpoint=Endpoint(port=1),
        connect=lambda: connection,
        reader=audit.control.reader,
        evidence=audit.evidence,
        releases=archive.releases,
        states=MemoryDatasetStates(),
        findings=audit.findings,
        listing=archive.storage,
        policy=PolicyInForce(tmp_path / "policy.yaml"),
        audit=AuditSettings(),
        survey_every=timedelta(days=1),
        look_every=timedelta(days=1),
        dark_grace=timedelta(days=1),
        events_kept=timedelta(days=10),
        prepare=lambda: None,
        close=lambda: None,
    )
    return Service(audit, parts, connection, changes, PreservationMetrics())


@pytest.fixture
def lfn(service: Service) -> Lfn:
    announce(make_simtel(service.audit.archive.handover / "run10.simtel"))
    (result,) = service.audit.archive.ingest()
    assert result.lfn is not None
    return result.lfn


def test_a_new_dataset_is_looked_at_until_it_has_everything(service: Service, lfn: Lfn) -> None:
    archive = service.audit.archive
    assert service.keeping(service.connection)
    assert service.parts.states.counts() == (0, 1)
    archive.replicate(lfn, "CSCS", "PIC")
    archive.fulfil_rules()
    service.changes.changed_at[lfn.parent] = service.audit.now
    assert service.keeping(service.connection)
    assert archive.catalogue.released == {("CTAO-NORTH", lfn)}
    archive.catalogue.remove_replica(lfn, "CTAO-NORTH")
    service.audit.now += timedelta(seconds=1)
    assert service.keeping(service.connection)
    assert service.parts.states.counts() == (1, 0)
    service.changes.changed_at.clear()
    service.audit.now += timedelta(seconds=1)
    assert not service.keeping(service.connection), "nothing changed, so nothing is asked"
    assert service.measured("dpps_preservation_freed_copies_total") == 1.0
    assert (
        service.metrics.registry.get_sample_value("dpps_preservation_datasets", {"state": "settled"}) == 1.0
    )
    service.audit.now += timedelta(days=1)
    assert service.keeping(service.connection), "once a day all are looked at"


def test_a_dataset_with_an_alarm_is_not_settled_until_a_copy_is_read_back(service: Service, lfn: Lfn) -> None:
    archive, audit = service.audit.archive, service.audit
    archive.replicate(lfn, "CSCS", "PIC")
    archive.fulfil_rules()
    archive.catalogue.remove_replica(lfn, "CTAO-NORTH")
    service.keeping(service.connection)
    assert service.parts.states.counts() == (1, 0)
    whole = audit.bytes_at("CSCS", lfn)
    for rse in ("CSCS", "PIC"):
        audit.put(rse, lfn, b"not these bytes")
    audit.read()
    assert len(service.parts.findings.alarms()) == 1
    assert service.keeping(service.connection), "the catalogue has noticed nothing"
    assert service.parts.states.counts() == (0, 1)
    for rse in ("CSCS", "PIC"):
        audit.put(rse, lfn, whole)
    audit.now += timedelta(days=1)
    audit.read()
    audit.now += timedelta(minutes=2)
    service.keeping(service.connection)
    assert service.parts.states.counts() == (1, 0)


def test_a_file_without_any_complete_copy_raises_an_alarm_until_one_is_read_back(
    service: Service, lfn: Lfn
) -> None:
    archive = service.audit.archive
    archive.catalogue.set_replica(lfn, "CTAO-NORTH", ReplicaState.BAD)
    service.keeping(service.connection)
    (alarm,) = service.parts.findings.alarms()
    assert alarm.lfn == lfn.name
    service.audit.now += timedelta(minutes=2)
    service.keeping(service.connection)
    assert len(service.parts.findings.alarms()) == 1
    assert service.audit.kinds() == ["alarm"], "told once"
    archive.catalogue.set_replica(lfn, "CTAO-NORTH", ReplicaState.AVAILABLE)
    service.audit.now += timedelta(minutes=2)
    service.keeping(service.connection)
    AuditWork(service.parts, service.metrics, lambda _seconds: None)(service.connection)
    assert service.parts.findings.alarms() == []


def test_a_dataset_that_is_no_more_is_forgotten_and_hinders_no_other(service: Service, lfn: Lfn) -> None:
    service.changes.changed_at["/ctao/acada/DL0/gone"] = service.audit.now
    service.parts.states.set_cursor("changes", service.audit.now)
    assert service.keeping(service.connection)
    assert service.parts.states.counts() == (0, 1)
    assert service.audit.archive.catalogue.rules(lfn.parent)


def test_a_dataset_that_cannot_be_looked_at_goes_to_the_end_of_the_queue(
    service: Service, lfn: Lfn, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, members = service.audit.archive.catalogue, service.audit.archive.catalogue.members
    bad = "/ctao/acada/DL0/a"
    service.parts.states.note_seen([bad], "", service.audit.now, due=False)

    def asked(dataset: str) -> list[Lfn]:
        if dataset == bad:
            raise Unavailable("the catalogue stumbles over it", code="catalogue-unavailable")
        return members(dataset)

    monkeypatch.setattr(catalogue, "members", asked)
    with pytest.raises(Unavailable):
        service.keeping(service.connection)
    service.keeping(service.connection)
    looked = {one.name: one.reason for one in service.parts.states.due("other", service.audit.now, 10)}
    assert looked[bad] == "the catalogue stumbles over it"
    assert "off-site copies are there" in looked[lfn.parent]


def test_a_new_policy_is_noticed_and_all_datasets_are_due(service: Service, lfn: Lfn, tmp_path: Path) -> None:
    service.keeping(service.connection)
    (tmp_path / "policy.yaml").write_text(packaged_policy_text().replace("OFFSITE=True", "CSCS|FRASCATI"))
    assert service.keeping(service.connection)
    expressions = {rule.expression for rule in service.audit.archive.catalogue.rules(lfn.parent)}
    assert expressions == {"OFFSITE=True", "CSCS|FRASCATI"}


def test_a_policy_file_that_became_wrong_changes_nothing_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(packaged_policy_text().replace("copies: 2", "copies: 3"))
    policy = PolicyInForce(path)
    assert policy.read().kinds[0].copies == 3
    path.write_text("version: [")
    assert policy.read().kinds[0].copies == 3
    assert policy.complaint is not None
    path.unlink()
    assert policy.read().kinds[0].copies == 2
    assert policy.complaint is None
    path.write_text("version: [")
    with pytest.raises(InvalidInput):
        PolicyInForce(path).read()


def test_the_audit_counts_what_it_reads_and_stops_when_told(service: Service, lfn: Lfn) -> None:
    archive = service.audit.archive
    archive.replicate(lfn, "CSCS")
    service.keeping(service.connection)
    archive.storage.files[archive.url("CSCS", lfn)] = b"rotten"

    def stop(_seconds: float) -> None:
        raise Unavailable("the service stops", code="stopping")

    with pytest.raises(Unavailable):
        AuditWork(service.parts, service.metrics, stop)(service.connection)
    work = AuditWork(service.parts, service.metrics, lambda _seconds: None)
    assert not work(service.connection), (
        "both copies were read: one for itself, one as the source of a repair"
    )
    counted = service.metrics.registry.get_sample_value
    assert counted("dpps_audit_verified_copies_total", {"rse": "CSCS", "outcome": "damaged"}) == 1.0
    assert counted("dpps_audit_verified_bytes_total", {"rse": "CSCS"}) == 6.0
    assert archive.catalogue.files([lfn])[0].replicas[0].state is ReplicaState.BAD  # type: ignore[union-attr]


def test_storages_are_listed_once_in_the_period(service: Service) -> None:
    service.audit.archive.storage.files["memory://PIC/ctao/acada/strange"] = b"?"
    work = SurveyWork(service.parts, service.metrics)
    assert work(service.connection)
    assert not work(service.connection)
    service.audit.now += timedelta(days=1)
    assert work(service.connection)
    counted = service.metrics.registry.get_sample_value
    assert counted("dpps_audit_dark_files", {"rse": "PIC"}) == 1.0


def test_a_storage_that_is_away_does_not_keep_the_others_from_being_listed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    storage = service.audit.archive.storage
    everything = storage.everything

    def lists(url: str) -> Iterator[ListedFile]:
        if url.startswith("memory://CTAO-NORTH/"):
            raise Unavailable("it is away", code="storage-unavailable")
        listed.append(url)
        return everything(url)

    monkeypatch.setattr(storage, "everything", lists)
    work = SurveyWork(service.parts, service.metrics)
    with pytest.raises(Unavailable, match="it is away"):
        work(service.connection)
    assert len(listed) == 4
    with pytest.raises(Unavailable, match="it is away"):
        work(service.connection)
    assert len(listed) == 4, "those that were listed are not listed again"


def test_a_storage_that_is_away_does_not_keep_temporary_files_at_the_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = service.audit.archive.storage
    left = {rse: f"memory://{rse}/ctao/acada/.dpps-{rse}" for rse in ("CSCS", "PIC")}
    storage.files |= dict.fromkeys(left.values(), b"half a file")
    work = SurveyWork(service.parts, service.metrics)
    work(service.connection)
    service.audit.findings.note(AuditEvent(at=service.audit.now, kind="damaged", name="old"))
    delete = storage.delete

    def refuses(url: str) -> None:
        if url.startswith("memory://CSCS/"):
            raise Unavailable("CSCS is away", code="storage-unavailable")
        delete(url)

    with monkeypatch.context() as away:
        away.setattr(storage, "delete", refuses)
        service.audit.now += timedelta(days=11)
        with pytest.raises(Unavailable, match="CSCS is away"):
            work(service.connection)
    assert left["PIC"] not in storage.files
    assert service.audit.kinds() == ["temporary-removed"], "the old event is forgotten"
    service.audit.now += timedelta(days=1)
    work(service.connection)
    assert left["CSCS"] not in storage.files


def test_an_outage_is_waited_out_and_counted(service: Service) -> None:
    answers: list[ArchiveConnection | None] = [None, service.connection]

    def connect() -> ArchiveConnection:
        answer = answers.pop(0)
        if answer is None:
            raise Unavailable("nobody answers", code="catalogue-unavailable")
        return answer

    loop = Loop(connect, service.keeping, Pace(1.0, 5.0), service.metrics)
    assert loop.round() == 1.0
    assert loop.trouble == "nobody answers"
    loop.round()
    assert loop.trouble is None
    text = service.metrics.text().decode()
    assert 'dpps_preservation_interruptions_total{code="catalogue-unavailable"} 1.0' in text


def test_an_audit_that_fails_for_an_hour_is_told_as_a_reason(service: Service) -> None:
    now, outages = [0.0], [Unavailable("the database is away", code="database-unavailable")]

    def work(_archive: ArchiveConnection) -> bool:
        if outages:
            raise outages[0]
        return True

    loop = Loop(lambda: service.connection, work, Pace(1.0, 5.0), service.metrics, clock=lambda: now[0])
    for seconds in (0.0, 1800.0, 3599.0):
        now[0] = seconds
        loop.round()
        assert held_up({"survey": loop}) is None
    now[0] = 3600.0
    assert held_up({"survey": loop}) == "the survey has failed for an hour: the database is away"
    outages.clear()
    loop.round()
    assert held_up({"survey": loop}) is None


def test_health_says_what_is_wrong() -> None:
    troubles: list[str | None] = [None, "the catalogue does not answer"]
    application = build_application(lambda: troubles.pop(0), PreservationMetrics())

    async def ask(path: str) -> tuple[int, str]:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://preservation") as client:
            answer = await client.get(path)
        return answer.status_code, answer.text

    assert anyio.run(ask, "/healthz") == (200, "ok")
    assert anyio.run(ask, "/healthz") == (503, "the catalogue does not answer")
    assert anyio.run(ask, "/metrics")[0] == 200
