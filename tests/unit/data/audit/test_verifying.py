from __future__ import annotations

from datetime import timedelta

import pytest

from dpps.data.audit.comparing import take_stock
from dpps.data.audit.records import CopyKey, CopyOutcome
from dpps.domain.errors import NotAuthorized, Unavailable
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.audit.conftest import Audit


@pytest.fixture
def lfn(audit: Audit) -> Lfn:
    """A file with copies at two centres, and none on site."""
    announce(make_simtel(audit.archive.handover / "run10.simtel"))
    (result,) = audit.archive.ingest()
    assert result.lfn is not None
    audit.archive.replicate(result.lfn, "CSCS", "PIC")
    audit.archive.catalogue.remove_replica(result.lfn, "CTAO-NORTH")
    take_stock(audit.archive.catalogue, audit.control, result.lfn.parent)
    return result.lfn


def test_every_copy_is_read_once_in_the_period_and_at_the_rate(audit: Audit, lfn: Lfn) -> None:
    size_bytes = len(audit.bytes_at("PIC", lfn))
    assert [(one.rse, one.outcome) for one in audit.read()] == [
        ("CSCS", CopyOutcome.INTACT),
        ("PIC", CopyOutcome.INTACT),
    ]
    assert audit.paused_seconds == [size_bytes / 1000.0] * 2
    audit.now += timedelta(days=89)
    assert audit.read() == []
    audit.now += timedelta(days=1)
    assert len(audit.read()) == 2
    assert audit.kinds() == []


def test_a_round_is_short_and_the_next_goes_on(audit: Audit, lfn: Lfn) -> None:
    for number in range(11, 14):
        announce(make_simtel(audit.archive.handover / f"run{number}.simtel", run=number))
    for result in audit.archive.ingest():
        assert result.lfn is not None
        audit.archive.replicate(result.lfn, "PIC")
        take_stock(audit.archive.catalogue, audit.control, result.lfn.parent)
    rounds = [audit.read("PIC", copies=2) for _ in range(3)]
    assert [len(one) for one in rounds] == [2, 2, 0]
    assert len({one.lfn for some in rounds for one in some}) == 4


@pytest.mark.parametrize("kind", [CopyOutcome.DAMAGED, CopyOutcome.LOST])
def test_damage_is_declared_repaired_and_reported(audit: Audit, lfn: Lfn, kind: CopyOutcome) -> None:
    good = audit.bytes_at("CSCS", lfn)
    if kind is CopyOutcome.LOST:
        audit.archive.storage.delete(audit.archive.url("PIC", lfn))
    else:
        audit.put("PIC", lfn, b"X" + good[1:])
    assert [one.outcome for one in audit.read()] == [CopyOutcome.INTACT, kind]
    assert audit.declared == [CopyKey(lfn, "PIC")]
    assert audit.read() == [], "while it is replaced it is not read"
    audit.put("PIC", lfn, good)
    audit.archive.catalogue.set_replica(lfn, "PIC", ReplicaState.AVAILABLE)
    (again,) = audit.read()
    assert (again.rse, again.outcome, again.intact_since) == ("PIC", CopyOutcome.INTACT, audit.now)
    assert audit.kinds() == [kind.value, "declared-bad", "repaired"]
    assert audit.findings.alarms() == []


def test_a_file_without_good_copy_raises_an_alarm_and_loses_nothing(audit: Audit, lfn: Lfn) -> None:
    good = audit.bytes_at("CSCS", lfn)
    for rse in ("CSCS", "PIC"):
        audit.put(rse, lfn, b"rotten at " + rse.encode())
    for _ in range(3):
        audit.read()
    assert audit.declared == [], "the last copies are never declared bad"
    (alarm,) = audit.findings.alarms()
    assert alarm.lfn == lfn.name
    assert audit.kinds().count("alarm") == 1
    assert audit.findings.acknowledge(alarm.number, "alice", "asked the site for a copy", audit.now)
    audit.read()
    assert len(audit.findings.alarms()) == 1, "an answer ends no alarm"
    audit.put("CSCS", lfn, good)
    for _ in range(2):
        audit.read()
    assert audit.findings.alarms() == []
    assert audit.kinds()[-2:] == ["alarm-over", "declared-bad"]
    assert audit.declared == [CopyKey(lfn, "PIC")]


def test_the_second_damage_while_the_first_is_repaired_declares_nothing(audit: Audit, lfn: Lfn) -> None:
    good = audit.bytes_at("CSCS", lfn)
    audit.put("PIC", lfn, b"rotten")
    audit.read()
    audit.put("CSCS", lfn, b"rotten too")
    audit.read(period=timedelta(0))
    assert audit.declared == [CopyKey(lfn, "PIC")]
    assert len(audit.findings.alarms()) == 1
    audit.put("CSCS", lfn, good)
    audit.read()
    assert audit.findings.alarms() == []


def test_a_storage_that_does_not_answer_is_no_damage(
    audit: Audit, lfn: Lfn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_url: str) -> None:
        raise Unavailable("PIC does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(audit.archive.storage, "read_back", down)
        assert {one.outcome for one in audit.read()} == {CopyOutcome.UNREADABLE}
    assert audit.declared == []
    assert audit.findings.alarms() == []
    assert {one.outcome for one in audit.read()} == {CopyOutcome.INTACT}


def test_damage_waits_while_copies_of_the_dataset_are_given_up(audit: Audit, lfn: Lfn) -> None:
    audit.put("PIC", lfn, b"rotten")
    with audit.evidence.exclusive(lfn.parent):
        audit.read()
    assert audit.declared == []
    audit.read()
    assert audit.declared == [CopyKey(lfn, "PIC")]


def test_copies_that_are_gone_from_the_catalogue_are_forgotten(audit: Audit, lfn: Lfn) -> None:
    audit.archive.catalogue.remove_replica(lfn, "PIC")
    assert [one.rse for one in audit.read()] == ["CSCS"]
    assert list(audit.evidence.known([lfn])) == [CopyKey(lfn, "CSCS")]


def test_what_was_released_is_not_lost_when_it_is_gone(audit: Audit, lfn: Lfn) -> None:
    audit.evidence.mark_released([CopyKey(lfn, "PIC")], audit.now)
    audit.archive.storage.delete(audit.archive.url("PIC", lfn))
    assert [one.rse for one in audit.read()] == ["CSCS"]
    take_stock(audit.archive.catalogue, audit.control, lfn.parent)
    assert audit.declared == []


def test_taking_stock_finds_what_is_lost_without_waiting_for_the_period(audit: Audit, lfn: Lfn) -> None:
    audit.read()
    audit.archive.storage.delete(audit.archive.url("PIC", lfn))
    assert take_stock(audit.archive.catalogue, audit.control, lfn.parent) == 2
    assert audit.declared == [CopyKey(lfn, "PIC")]


def test_readers_may_not_audit(audit: Audit) -> None:
    audit.archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        audit.read()
