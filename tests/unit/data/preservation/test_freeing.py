"""On-site copies go when enough others are proven, and not before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.data.audit.records import CopyKey, CopyOutcome
from dpps.data.policy import FreeOnsite
from dpps.data.ports import Registration, ReplicationRule
from dpps.data.preservation import (
    PreservationOutcome,
)
from dpps.domain.errors import NotAuthorized, Unavailable
from dpps.domain.files import FileContent, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_simtel
from dpps.testing.storages import storage_element
from tests.unit.data.conftest import Archive
from tests.unit.data.preservation.conftest import (
    Clock,
    Look,
    Preserve,
    two_copies_elsewhere,
)


def test_two_verified_copies_free_the_onsite_one(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    (copy,) = preserve()
    assert copy.outcome is PreservationOutcome.FREED
    assert copy.verified_at == ("CSCS", "PIC")
    assert archive.catalogue.released == {("CTAO-NORTH", lfn)}


def test_one_copy_is_not_enough(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS")
    archive.catalogue.set_replica(lfn, "PIC", ReplicaState.COPYING)
    (copy,) = preserve()
    assert copy.outcome is PreservationOutcome.KEPT
    assert copy.reason == "1 of 2 off-site copies are there; PIC copying"
    assert archive.catalogue.released == set()


@pytest.mark.parametrize("bytes_there", [b"", b"other", None])
def test_a_copy_that_reads_back_wrong_keeps_the_onsite_one(
    archive: Archive, preserve: Preserve, lfn: Lfn, bytes_there: bytes | None
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    if bytes_there is None:
        archive.storage.delete(archive.url("PIC", lfn))
    else:
        archive.storage.files[archive.url("PIC", lfn)] = bytes_there
    (copy,) = preserve()
    assert copy.outcome is PreservationOutcome.KEPT
    assert "PIC" in copy.reason
    assert archive.catalogue.released == set()


def test_a_dry_run_verifies_and_frees_nothing(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    (copy,) = preserve(dry_run=True)
    assert copy.outcome is PreservationOutcome.WOULD_FREE
    assert archive.catalogue.released == set()


def test_a_dry_run_forgets_and_notes_nothing(
    archive: Archive, freed: Lfn, look: Look, evidence: MemoryEvidence
) -> None:
    here = CopyKey(freed, "CTAO-NORTH")
    archive.catalogue.remove_replica(freed, "CTAO-NORTH")
    archive.catalogue.set_replica(freed, "FRASCATI", ReplicaState.AVAILABLE)
    look(dry_run=True)
    assert here in archive.releases.of([here])
    assert set(evidence.known([freed])) == {CopyKey(freed, rse) for rse in ("CTAO-NORTH", "CSCS", "PIC")}
    look()
    assert archive.releases.of([here]) == {}


def test_a_freed_copy_is_waited_for_and_a_file_without_onsite_copy_is_no_subject(
    archive: Archive, lfn: Lfn, look: Look, clock: Clock
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    archive.fulfil_rules()
    (first,), (second,) = look(), look()
    assert [copy.outcome for copy in first.copies] == [PreservationOutcome.FREED]
    assert (second.copies, second.waits_for) == ([], "storages have not deleted freed copies yet")
    clock.now += timedelta(hours=2)
    (later,) = look()
    assert later.freed == 1, "nobody deleted it: it is judged anew"
    archive.catalogue.remove_replica(lfn, "CTAO-NORTH")
    (last,) = look()
    assert (last.copies, last.waits_for) == ([], "")


def test_a_release_survives_a_look_at_the_folder_of_its_name(
    archive: Archive, lfn: Lfn, look: Look, evidence: MemoryEvidence
) -> None:
    (known,) = archive.catalogue.files([lfn])
    assert known is not None
    guest = Registration(
        lfn=Lfn(f"{lfn.parent}/guest"), rse="CTAO-NORTH", content=known.content, metadata=known.metadata,
        dataset="/ctao/dpps/collection",
    )  # fmt: skip
    archive.catalogue.register([guest])
    archive.storage.files[archive.url("CTAO-NORTH", guest.lfn)] = archive.storage.files[
        archive.url("CTAO-NORTH", lfn)
    ]
    archive.catalogue.attach(guest.dataset, [guest.lfn])
    for one in (guest.lfn, lfn):
        archive.replicate(one, "CSCS", "PIC")
    here = CopyKey(guest.lfn, "CTAO-NORTH")
    looked = []
    for _ in range(3):
        looked += look()
        archive.fulfil_rules()
    assert {(one.dataset, copy.key) for one in looked for copy in one.copies if one.freed} == {
        (guest.dataset, here),
        (lfn.parent, CopyKey(lfn, "CTAO-NORTH")),
    }
    assert archive.releases.of([here])[here].dataset == guest.dataset
    assert evidence.known([guest.lfn])[here].released_at is not None


def test_copies_are_given_up_only_while_the_right_lasts(
    archive: Archive, lfn: Lfn, look: Look, evidence: MemoryEvidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.replicate(lfn, "CSCS", "PIC", "FRASCATI")
    archive.fulfil_rules()
    read_back = archive.storage.read_back

    def lose_the_right(url: str) -> FileContent:
        evidence.held.clear()
        return read_back(url)

    monkeypatch.setattr(archive.storage, "read_back", lose_the_right)
    with pytest.raises(Unavailable, match="lost"):
        look()
    assert archive.catalogue.released == set()
    monkeypatch.setattr(archive.storage, "read_back", read_back)
    assert look()[0].freed == 1
    archive.catalogue.remove_replica(lfn, "CTAO-NORTH")
    archive.policy = two_copies_elsewhere(archive.policy)
    look()
    archive.fulfil_rules()
    evidence.forget([CopyKey(lfn, "CSCS")])
    monkeypatch.setattr(archive.storage, "read_back", lose_the_right)
    known = archive.catalogue.rules(lfn.parent)
    with pytest.raises(Unavailable, match="lost"):
        look()
    assert archive.catalogue.rules(lfn.parent) == known


def test_fresh_readings_are_not_repeated_and_old_ones_prove_nothing(
    archive: Archive, lfn: Lfn, look: Look, clock: Clock, evidence: MemoryEvidence
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    archive.catalogue.locked.add(("CTAO-NORTH", lfn))
    look()
    url = archive.url("PIC", lfn)
    archive.storage.files[url] = archive.storage.files[url][::-1]
    clock.now += timedelta(days=6)
    archive.catalogue.locked.clear()
    assert look(dry_run=True)[0].copies[0].outcome is PreservationOutcome.WOULD_FREE
    clock.now += timedelta(days=2)
    (copy,) = look()[0].copies
    assert copy.outcome is PreservationOutcome.KEPT
    assert "PIC is not proven" in copy.reason
    assert evidence.known([lfn])[CopyKey(lfn, "PIC")].outcome is CopyOutcome.DAMAGED


def test_a_clock_that_was_set_back_makes_readings_worthless(
    archive: Archive, lfn: Lfn, look: Look, clock: Clock
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    look(dry_run=True)
    clock.now -= timedelta(days=1)
    archive.storage.files[archive.url("PIC", lfn)] = b"rotten"
    assert look()[0].freed == 0


def test_the_policy_may_wait_before_it_frees(archive: Archive, lfn: Lfn, look: Look, clock: Clock) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    later = FreeOnsite(when_verified=True, after=timedelta(days=2))
    kinds = [kind.model_copy(update={"free_onsite": later}) for kind in archive.policy.kinds]
    archive.policy = archive.policy.model_copy(update={"kinds": tuple(kinds)})
    (first,) = look()
    assert first.freed == 0
    assert "intact for 2 days" in first.copies[0].reason
    assert first.look_again_at == clock.now + timedelta(days=2)
    clock.now += timedelta(days=2)
    assert look()[0].freed == 1


def test_while_another_process_holds_the_dataset_nothing_is_done(
    archive: Archive, lfn: Lfn, look: Look, evidence: MemoryEvidence
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    with evidence.exclusive(lfn.parent):
        (one,) = look()
    assert one.waits_for == "another process is at work on it"
    assert archive.catalogue.released == set()


def test_copies_that_only_rules_of_people_keep_do_not_count(archive: Archive, lfn: Lfn, look: Look) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    for rule in archive.catalogue.rules(lfn.parent):
        archive.catalogue.remove_rule(rule.rule_id)
    archive.catalogue.ensure_rule(ReplicationRule(dataset=lfn.parent, copies=2, expression="OFFSITE=True"))
    (one,) = look(dry_run=True)
    assert one.copies[0].reason == "no replication rule keeps the off-site copies"


def test_the_policy_may_keep_onsite_copies(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    never = FreeOnsite(when_verified=False)
    kinds = [kind.model_copy(update={"free_onsite": never}) for kind in archive.policy.kinds]
    archive.policy = archive.policy.model_copy(update={"kinds": tuple(kinds)})
    (copy,) = preserve()
    assert copy.outcome is PreservationOutcome.KEPT
    assert "policy" in copy.reason


def test_copies_at_one_site_count_once(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "PIC")
    archive.catalogue.add_storage(storage_element("PIC-TAPE", "memory://PIC-TAPE", site="PIC"))
    archive.replicate(lfn, "PIC-TAPE")
    preserve()  # the rules name one storage of each site from now on
    (copy,) = preserve()
    assert copy.outcome is PreservationOutcome.KEPT
    assert "1 of 2" in copy.reason
    assert archive.catalogue.released == set()


def test_a_bad_copy_does_not_count(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    archive.catalogue.set_replica(lfn, "PIC", ReplicaState.BAD)
    (copy,) = preserve()
    assert copy.reason == "1 of 2 off-site copies are there; PIC bad"
    assert archive.catalogue.released == set()


def test_copies_that_no_rule_keeps_are_no_proof(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    for rule in archive.catalogue.rules(lfn.parent):
        archive.catalogue.remove_rule(rule.rule_id)
    (copy,) = preserve(dry_run=True)
    assert "no replication rule" in copy.reason
    assert archive.catalogue.rules(lfn.parent) == []
    assert [one.outcome for one in preserve() + preserve()] == [
        PreservationOutcome.KEPT,
        PreservationOutcome.FREED,
    ], "the rule is made, and the next pass frees"


def test_a_locked_copy_does_not_keep_the_others(archive: Archive, preserve: Preserve, lfn: Lfn) -> None:
    announce(make_simtel(archive.handover / "run11.simtel", run=11))
    (other,) = archive.ingest()
    assert other.lfn is not None
    for one in (lfn, other.lfn):
        archive.replicate(one, "CSCS", "PIC")
    archive.catalogue.locked.add(("CTAO-NORTH", lfn))
    outcomes = {copy.lfn: copy for copy in preserve()}
    assert outcomes[lfn].outcome is PreservationOutcome.KEPT
    assert "rule" in outcomes[lfn].reason
    assert outcomes[other.lfn].outcome is PreservationOutcome.FREED
    assert archive.catalogue.released == {("CTAO-NORTH", other.lfn)}


def test_a_freed_copy_that_someone_wants_again_is_audited_as_any_other(
    archive: Archive, preserve: Preserve, evidence: MemoryEvidence, clock: Clock, lfn: Lfn
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    assert preserve()[0].outcome is PreservationOutcome.FREED
    assert evidence.oldest("CTAO-NORTH", clock.now, 10) == []
    archive.catalogue.locked.add(("CTAO-NORTH", lfn))
    clock.now += timedelta(hours=2)
    assert preserve()[0].outcome is PreservationOutcome.KEPT
    assert evidence.oldest("CTAO-NORTH", clock.now, 10) == [CopyKey(lfn, "CTAO-NORTH")]


def test_readers_may_not_free(archive: Archive, preserve: Preserve) -> None:
    archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        preserve()
