"""The rules that the policy asks for are made, and older ones end with proof of the copies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyKey, CopyOutcome, DatasetState
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Registration, ReplicationRule, RuleState
from dpps.data.preservation import (
    Keeping,
    keep_dataset,
)
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.conftest import Archive
from tests.unit.data.preservation.conftest import (
    Clock,
    Look,
    two_copies_elsewhere,
)


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


def test_a_first_copy_that_was_promised_for_longer_than_all_the_others_stays(
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
    ending = replace(whole, expires_at=datetime.now(UTC) + timedelta(days=3650))
    monkeypatch.setattr(archive.catalogue, "rules", lambda _dataset: [first, ending])
    monkeypatch.setattr(archive.catalogue, "ensure_rule", lambda rule: rule.rule_id)
    assert look()[0].rules_ended == 0


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
