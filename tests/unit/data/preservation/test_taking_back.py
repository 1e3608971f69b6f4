"""A freed copy that is not deleted yet is taken back when the proof of the others lapses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.data.audit.records import CopyKey
from dpps.data.preservation import (
    PreservationOutcome,
)
from dpps.domain.errors import Unavailable
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.conftest import Archive
from tests.unit.data.preservation.conftest import (
    Clock,
    Look,
    lapse_by_damage,
    lapse_by_loss,
)


def lapse_by_bad_declaration(archive: Archive, _evidence: MemoryEvidence, lfn: Lfn) -> None:
    archive.catalogue.set_replica(lfn, "PIC", ReplicaState.BAD)


def lapse_by_an_outage(archive: Archive, _evidence: MemoryEvidence, lfn: Lfn) -> None:
    archive.storage.unreachable.add(archive.url("PIC", lfn))


_LAPSES = (lapse_by_damage, lapse_by_loss, lapse_by_bad_declaration, lapse_by_an_outage)


@pytest.mark.parametrize("hours", [0, 2])
@pytest.mark.parametrize("lapse", _LAPSES)
def test_a_freed_copy_is_taken_back_when_the_proof_lapses_and_freed_again_with_new_proof(
    archive: Archive, freed: Lfn, look: Look, evidence: MemoryEvidence, clock: Clock,
    lapse: Callable[[Archive, MemoryEvidence, Lfn], None], hours: int,
) -> None:  # fmt: skip
    here = CopyKey(freed, "CTAO-NORTH")
    assert archive.releases.of([here])[here].relied_on == ("CSCS", "PIC")
    clock.now += timedelta(hours=hours)
    lapse(archive, evidence, freed)
    assert [copy.outcome for copy in look(dry_run=True)[0].copies] == [PreservationOutcome.KEPT]
    assert archive.catalogue.locked == set()
    (one,) = look()
    assert [copy.outcome for copy in one.copies] == [PreservationOutcome.TAKEN_BACK]
    assert "PIC" in one.copies[0].reason
    assert archive.catalogue.locked == {("CTAO-NORTH", freed)}
    assert archive.releases.of([here]) == {}
    assert evidence.known([freed])[here].released_at is None
    assert [copy.outcome for copy in look()[0].copies] == [PreservationOutcome.KEPT]
    archive.storage.unreachable.clear()
    archive.replicate(freed, "PIC")
    (again,) = look()
    assert "taken back before" in again.waits_for, "its rule ends first"
    assert archive.catalogue.locked == set()
    assert look()[0].freed == 1
    assert here in archive.releases.of([here])


def test_a_copy_that_cannot_be_taken_back_does_not_keep_the_others_from_it(
    archive: Archive, lfn: Lfn, look: Look, evidence: MemoryEvidence
) -> None:
    announce(make_simtel(archive.handover / "run11.simtel", run=11))
    (other,) = archive.ingest()
    assert other.lfn is not None
    for one in (lfn, other.lfn):
        archive.replicate(one, "CSCS", "PIC")
    archive.fulfil_rules()
    look()
    for one in (lfn, other.lfn):
        lapse_by_loss(archive, evidence, one)
    archive.keeper.refusals[lfn] = "no such rule"
    (found,) = look()
    outcomes = {copy.lfn: copy.outcome for copy in found.copies}
    assert outcomes == {lfn: PreservationOutcome.KEPT, other.lfn: PreservationOutcome.TAKEN_BACK}
    assert "it is not taken back: no such rule" in found.waits_for
    keys = [CopyKey(one, "CTAO-NORTH") for one in (lfn, other.lfn)]
    assert set(archive.releases.of(keys)) == {keys[0]}, "its deletion needs proof still"
    archive.keeper.refusals.clear()
    assert [copy.outcome for copy in look()[0].copies if copy.lfn == lfn] == [PreservationOutcome.TAKEN_BACK]


def test_a_freed_copy_whose_bytes_are_gone_is_not_taken_back(
    archive: Archive, freed: Lfn, look: Look, evidence: MemoryEvidence, clock: Clock
) -> None:
    archive.catalogue.set_replica(freed, "CTAO-NORTH", ReplicaState.UNAVAILABLE)
    here = CopyKey(freed, "CTAO-NORTH")
    lapse_by_damage(archive, evidence, freed)
    (one,) = look()
    assert one.copies == []
    told = one.waits_for.split("; ")
    assert told[0] == "storages have not deleted freed copies yet"
    assert told[1].endswith("at PIC was damaged when it was last read back")
    assert here in archive.releases.of([here]), "its deletion may be under way"
    clock.now += timedelta(hours=2)
    assert "is marked for deletion, which waits" in look()[0].waits_for
    archive.catalogue.remove_replica(freed, "CTAO-NORTH")
    look()
    assert archive.releases.of([here]) == {}


def test_a_look_that_is_cut_while_it_takes_back_keeps_no_copy_for_ever(
    archive: Archive, freed: Lfn, look: Look, evidence: MemoryEvidence, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    keep = archive.keeper.keep

    def cut(rse: str, lfns: Sequence[Lfn]) -> Mapping[Lfn, str]:
        keep(rse, lfns)
        raise Unavailable("the answer is lost", code="catalogue-unavailable")

    lapse_by_loss(archive, evidence, freed)
    with monkeypatch.context() as patched:
        patched.setattr(archive.keeper, "keep", cut)
        with pytest.raises(Unavailable):
            look()
    assert archive.catalogue.locked == {("CTAO-NORTH", freed)}
    archive.replicate(freed, "PIC")
    assert look()[0].waits_for == "storages have not deleted freed copies yet", "nothing says that it is held"
    clock.now += timedelta(minutes=3)
    assert "taken back before" in look()[0].waits_for
    assert archive.catalogue.locked == set()
    assert look()[0].freed == 1
