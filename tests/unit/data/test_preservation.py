from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyKey, CopyOutcome, DatasetState
from dpps.data.policy import FreeOnsite, PreservationPolicy
from dpps.data.ports import Registration, ReplicationRule, RuleState
from dpps.data.preservation import (
    DatasetLook,
    Keeping,
    OnsiteCopy,
    PreservationOutcome,
    keep_dataset,
    preservation_pass,
)
from dpps.domain.errors import NotAuthorized, Unavailable
from dpps.domain.files import FileContent, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_simtel
from dpps.testing.storages import storage_element
from tests.unit.data.conftest import Archive

Look = Callable[..., list[DatasetLook]]
Preserve = Callable[..., list[OnsiteCopy]]


@pytest.fixture
def lfn(archive: Archive) -> Lfn:
    announce(make_simtel(archive.handover / "run10.simtel"))
    (result,) = archive.ingest()
    assert result.lfn is not None
    return result.lfn


@pytest.fixture
def evidence() -> MemoryEvidence:
    return MemoryEvidence()


class Clock:
    """A time that tests set."""

    now = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def look(archive: Archive, evidence: MemoryEvidence, clock: Clock) -> Look:
    def looks(*, dry_run: bool = False) -> list[DatasetLook]:
        work = Keeping(
            catalogue=archive.catalogue,
            reader=Reader(storage=archive.storage, evidence=evidence, clock=clock),
            releases=archive.releases,
            keeper=archive.keeper,
            policy=archive.policy,
            elements=archive.catalogue.storage_elements(),
            dry_run=dry_run,
        )
        return list(preservation_pass(archive.principal, work))

    return looks


@pytest.fixture
def preserve(look: Look) -> Preserve:
    return lambda dry_run=False: [copy for one in look(dry_run=dry_run) for copy in one.copies]


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


@pytest.fixture
def freed(archive: Archive, lfn: Lfn, look: Look) -> Lfn:
    """Let a file be free to go on site, with the bytes still there."""
    archive.replicate(lfn, "CSCS", "PIC")
    archive.fulfil_rules()
    assert look()[0].freed == 1
    return lfn


def lapse_by_damage(archive: Archive, evidence: MemoryEvidence, lfn: Lfn) -> None:
    archive.storage.files[archive.url("PIC", lfn)] = b"rotten"
    found = replace(evidence.known([lfn])[CopyKey(lfn, "PIC")], outcome=CopyOutcome.DAMAGED)
    evidence.record([found])


def lapse_by_loss(archive: Archive, _evidence: MemoryEvidence, lfn: Lfn) -> None:
    archive.storage.delete(archive.url("PIC", lfn))


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
    assert (one.copies, one.waits_for) == ([], "storages have not deleted freed copies yet")
    assert here in archive.releases.of([here]), "its deletion may be under way"
    clock.now += timedelta(hours=2)
    assert "is marked for deletion, which waits" in look()[0].waits_for
    archive.catalogue.remove_replica(freed, "CTAO-NORTH")
    look()
    assert archive.releases.of([here]) == {}


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


def two_copies_elsewhere(policy: PreservationPolicy) -> PreservationPolicy:
    kinds = [kind.model_copy(update={"at": "CSCS|FRASCATI"}) for kind in policy.kinds]
    return policy.model_copy(update={"kinds": tuple(kinds)})


def test_a_new_policy_moves_old_data_and_ends_old_rules_only_with_proof(
    archive: Archive, lfn: Lfn, look: Look
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    archive.fulfil_rules()
    old = archive.catalogue.rules(lfn.parent)
    archive.policy = two_copies_elsewhere(archive.policy)
    (made,) = look()
    assert (made.rules_made, made.rules_ended, made.freed) == (2, 0, 0)
    archive.fulfil_rules()  # the catalogue says so, but the copy at Frascati is missing
    (waiting,) = look()
    assert waiting.rules_ended == 0
    assert "has 1 of 2 proven copies" in waiting.waits_for
    archive.replicate(lfn, "FRASCATI")
    good = archive.storage.files[archive.url("FRASCATI", lfn)]
    archive.storage.files[archive.url("FRASCATI", lfn)] = b"rotten"
    assert look()[0].rules_ended == 0, "a damaged copy is no proof"
    archive.storage.files[archive.url("FRASCATI", lfn)] = good
    (done,) = look()
    assert done.rules_ended == 2
    left = {rule.rule_id for rule in archive.catalogue.rules(lfn.parent)}
    assert left.isdisjoint(rule.rule_id for rule in old)
    assert len(left) == 2


def test_older_rules_stay_when_the_bytes_are_gone_and_the_evidence_is_fresh(
    archive: Archive, lfn: Lfn, look: Look, evidence: MemoryEvidence
) -> None:
    archive.replicate(lfn, "CSCS", "FRASCATI")
    archive.fulfil_rules()
    look()
    archive.policy = two_copies_elsewhere(archive.policy)
    archive.catalogue.locked.add(("CTAO-NORTH", lfn))
    old = {rule.rule_id for rule in archive.catalogue.rules(lfn.parent)}
    assert look()[0].rules_made == 2
    archive.fulfil_rules()
    assert evidence.known([lfn])[CopyKey(lfn, "FRASCATI")].outcome is CopyOutcome.INTACT
    data = archive.storage.files.pop(archive.url("FRASCATI", lfn))
    (waiting,) = look()
    assert waiting.rules_ended == 0
    assert "has 0 of 2 proven copies" in waiting.waits_for
    assert old <= {rule.rule_id for rule in archive.catalogue.rules(lfn.parent)}
    archive.storage.files[archive.url("FRASCATI", lfn)] = data
    assert look()[0].rules_ended == 2


def test_a_first_copy_apart_from_all_the_others_is_given_up_and_asked_for_again_when_needed(
    archive: Archive, lfn: Lfn, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.replicate(lfn, "CSCS", "PIC", "FRASCATI")
    archive.fulfil_rules()
    first, whole = sorted(archive.catalogue.rules(lfn.parent), key=lambda rule: rule.copies)
    held = {first.rule_id: {"CSCS"}, whole.rule_id: {"PIC", "FRASCATI"}}
    monkeypatch.setattr(
        archive.catalogue,
        "kept_copies",
        lambda rules: {lfn: frozenset(rse for rule in rules for rse in held[rule])},
    )
    url = archive.url("PIC", lfn)
    good, archive.storage.files[url] = archive.storage.files[url], b"rotten"
    assert look()[0].rules_ended == 0, "the copies that shall stay are not proven"
    archive.storage.files[url] = good
    (done,) = look()
    assert (done.rules_ended, done.rules_made) == (1, 0)
    assert [rule.rule_id for rule in archive.catalogue.rules(lfn.parent)] == [whole.rule_id]
    archive.catalogue.remove_replica(lfn, "CSCS")
    assert look()[0].rules_made == 0
    archive.catalogue.set_rule_state(whole.rule_id, RuleState.STUCK)  # a new file has no copy to read yet
    assert look()[0].rules_made == 1


def test_rules_of_a_dataset_whose_files_are_about_to_be_attached_stay(
    archive: Archive, lfn: Lfn, look: Look
) -> None:
    (file,) = archive.catalogue.files([lfn])
    assert file is not None
    coming = Registration(
        lfn=Lfn("/ctao/dpps/coming/p001/a.h5"),
        rse="CSCS",
        content=file.content,
        metadata=file.metadata,
        dataset="/ctao/dpps/coming/p001",
    )
    archive.catalogue.register([coming])
    for rule in archive.catalogue.rules(lfn.parent):
        archive.catalogue.ensure_rule(replace(rule, dataset=coming.dataset, rule_id="", state=None))
    made = archive.catalogue.rules(coming.dataset)
    archive.fulfil_rules()
    assert len(made) == 2
    assert all(one.rules_ended == 0 for one in look())
    assert {rule.rule_id for rule in archive.catalogue.rules(coming.dataset)} == {one.rule_id for one in made}


def test_rules_of_people_are_left_alone(archive: Archive, lfn: Lfn, look: Look) -> None:
    theirs = archive.catalogue.ensure_rule(ReplicationRule(dataset=lfn.parent, copies=1, expression="PIC"))
    archive.replicate(lfn, "CSCS", "FRASCATI")
    archive.policy = two_copies_elsewhere(archive.policy)
    for _ in range(3):
        look()
        archive.fulfil_rules()
    assert theirs in {rule.rule_id for rule in archive.catalogue.rules(lfn.parent)}


def test_a_stuck_rule_is_told_and_tried_again(archive: Archive, lfn: Lfn, look: Look) -> None:
    (first, *_) = archive.catalogue.rules(lfn.parent)
    archive.catalogue.set_rule_state(first.rule_id, RuleState.STUCK)
    (one,) = look()
    assert "is stuck" in one.waits_for
    assert {rule.state for rule in archive.catalogue.rules(lfn.parent)} == {RuleState.REPLICATING}


def test_a_policy_that_the_storages_cannot_keep_is_told_and_changes_nothing(
    archive: Archive, lfn: Lfn, look: Look
) -> None:
    archive.replicate(lfn, "CSCS", "PIC")
    kinds = [kind.model_copy(update={"distance_km": 5000.0}) for kind in archive.policy.kinds]
    archive.policy = archive.policy.model_copy(update={"kinds": tuple(kinds)})
    (one,) = look()
    assert "at least 5000 km apart" in one.waits_for
    assert one.freed == 0


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


def with_lifetime(policy: PreservationPolicy, lifetime: timedelta | None) -> PreservationPolicy:
    kinds = [kind.model_copy(update={"lifetime": lifetime}) for kind in policy.kinds]
    return policy.model_copy(update={"kinds": tuple(kinds)})


@pytest.mark.parametrize("days", [None, 300])
def test_rules_end_when_the_new_policy_says_and_not_before(
    archive: Archive, evidence: MemoryEvidence, clock: Clock, days: int | None
) -> None:
    clock.now = datetime.now(UTC)
    archive.policy = with_lifetime(archive.policy, timedelta(days=30))
    announce(make_simtel(archive.handover / "run10.simtel"))
    (result,) = archive.ingest()
    assert result.lfn is not None
    dataset, lifetime = result.lfn.parent, None if days is None else timedelta(days=days)
    assert all(rule.expires_at for rule in archive.catalogue.rules(dataset))
    state = DatasetState(
        name=dataset, digest="", settled=False, reason="", first_seen_at=clock.now, looked_at=None,
        due_at=clock.now,
    )  # fmt: skip
    work = Keeping(
        catalogue=archive.catalogue,
        reader=Reader(storage=archive.storage, evidence=evidence, clock=clock),
        releases=archive.releases,
        keeper=archive.keeper,
        policy=with_lifetime(archive.policy, lifetime),
        elements=archive.catalogue.storage_elements(),
    )
    keep_dataset(work, dataset, state)
    wanted = None if lifetime is None else clock.now + lifetime
    assert {rule.expires_at for rule in archive.catalogue.rules(dataset)} == {wanted}


def test_what_was_promised_for_ever_is_not_left_to_a_rule_with_an_end(
    archive: Archive, lfn: Lfn, look: Look
) -> None:
    archive.replicate(lfn, "CSCS", "PIC", "FRASCATI")
    look()
    archive.fulfil_rules()
    (old,) = [rule for rule in archive.catalogue.rules(lfn.parent) if rule.copies == 2]
    more = [
        kind.model_copy(update={"copies": 3, "distance_km": None, "lifetime": timedelta(days=3650)})
        for kind in archive.policy.kinds
    ]
    archive.policy = archive.policy.model_copy(update={"kinds": tuple(more)})
    for _ in range(3):
        look()
        archive.fulfil_rules()
    rules = {rule.copies: rule for rule in archive.catalogue.rules(lfn.parent)}
    assert old.rule_id not in {rule.rule_id for rule in rules.values()}
    assert rules[3].expires_at is None
    assert rules[3].lifetime_seconds is None


def test_of_kinds_that_share_a_rule_the_one_that_stays_longest_decides(
    archive: Archive, lfn: Lfn, look: Look
) -> None:
    short = archive.policy.kinds[0].model_copy(
        update={"where": "", "lifetime": timedelta(days=1), "first_copy_from": "anywhere"}
    )
    kept = short.model_copy(update={"name": "kept", "where": "data__level = 'SIM'", "lifetime": None})
    for rule in archive.catalogue.rules(lfn.parent):
        archive.catalogue.remove_rule(rule.rule_id)
    (file,) = archive.catalogue.files([lfn])
    assert file is not None
    other = Registration(
        lfn=Lfn(f"{lfn.parent}/a"), rse="CTAO-NORTH", content=file.content, metadata={}, dataset=lfn.parent
    )
    archive.catalogue.register([other])
    archive.catalogue.attach(lfn.parent, [other.lfn])
    archive.policy = archive.policy.model_copy(update={"kinds": (kept, short)})
    look()
    assert {rule.expires_at for rule in archive.catalogue.rules(lfn.parent)} == {None}


def test_temporary_files_are_not_the_policys(archive: Archive, look: Look) -> None:
    lfn = Lfn("/ctao/tmp/jane/files/scratch.h5")
    content = FileContent(size_bytes=1, adler32="00000001")
    scratch = Registration(lfn=lfn, rse="CSCS", content=content, metadata={}, dataset=lfn.parent)
    archive.catalogue.register([scratch])
    archive.catalogue.attach(lfn.parent, [lfn])
    (one,) = look()
    assert (one.dataset, one.waits_for, one.rules_made) == (lfn.parent, "", 0)
    assert archive.catalogue.rules(lfn.parent) == []


def test_readers_may_not_free(archive: Archive, preserve: Preserve) -> None:
    archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        preserve()
