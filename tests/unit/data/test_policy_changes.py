"""Checking, simulating and explaining policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.data.policy import PreservationPolicy
from dpps.data.policy.checking import check_policy
from dpps.data.policy.durations import parse_duration
from dpps.data.policy.explanation import explain_file, files_meant
from dpps.data.policy.reading import packaged_policy_text, read_policy
from dpps.data.policy.simulation import DatasetChange, EndChange, simulate_policy, total_volumes
from dpps.data.ports import Registration, ReplicationRule
from dpps.domain.errors import NotFound
from dpps.domain.files import ArchivedFile, FileContent
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_simtel
from dpps.testing.storages import storage_element
from tests.unit.data.conftest import Archive

HEAD = "version: 2\ntemporary: {lifetime: 1 day}\nkinds:\n"
NOW = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
ELEMENTS = [storage_element(name, f"memory://{name}") for name in ("CTAO-NORTH", "CSCS", "PIC")]


def warned(kinds: str) -> list[tuple[int, str]]:
    found = check_policy(HEAD + kinds, ELEMENTS)
    assert found.policy is not None
    return [(one.line, one.message) for one in found.warnings]


def test_the_packaged_policy_is_without_doubt() -> None:
    found = check_policy(packaged_policy_text(), ELEMENTS)
    assert found.policy is not None
    assert (list(found.errors), list(found.warnings)) == ([], [])


def test_errors_are_told_without_a_policy() -> None:
    found = check_policy("version: 2\nkinds: []\n", ELEMENTS)
    assert found.policy is None
    assert {one.where for one in found.errors} == {"kinds", "temporary"}


@pytest.mark.parametrize(
    ("kinds", "line", "named"),
    [
        ("- name: a\n  copies: 2\n  distance_km: 9999\n  free_onsite: never\n", 6, "can hold 1"),
        ("- name: a\n  at: country=XX\n  copies: 1\n  free_onsite: never\n", 5, "can hold 0"),
        ('- name: a\n  at: "*"\n  copies: 2\n  free_onsite: when-verified\n', 5, "CTAO-NORTH on site"),
        (
            "- name: a\n  copies: 2\n  first_copy_from: onsite\n  free_onsite: never\n",
            4,
            "to use that link once",
        ),
        (
            "- name: a\n  where: data__level = 'DL1'\n  copies: 1\n  free_onsite: never\n"
            "- name: b\n  where: data__level = 'DL1' and obs_id = 3\n  copies: 1\n  free_onsite: never\n"
            "- name: c\n  copies: 1\n  free_onsite: never\n",
            9,
            "no product is ever of the kind b: a above it takes them all",
        ),
    ],
)
def test_doubts_are_told_with_their_line(kinds: str, line: int, named: str) -> None:
    ((found, message),) = warned(kinds)
    assert found == line
    assert named in message


def test_kinds_that_may_differ_are_not_doubted() -> None:
    assert not warned(
        "- {name: a, where: data__level = 'DL1', copies: 1, free_onsite: never}\n"
        "- {name: b, where: data__level = 'DL2', copies: 1, free_onsite: never}\n"
        "- {name: c, copies: 1, free_onsite: never}\n"
    )


@pytest.fixture
def file(archive: Archive) -> ArchivedFile:
    announce(make_simtel(archive.handover / "run10.simtel"))
    (result,) = archive.ingest()
    assert result.lfn is not None
    archive.replicate(result.lfn, "CSCS", "PIC")
    (found,) = archive.catalogue.files([result.lfn])
    assert found is not None
    return found


def simulated(archive: Archive, kind: str) -> list[DatasetChange]:
    new = read_policy(f"{HEAD}- {{name: all, free_onsite: never, {kind}}}\n", "test")
    return list(changes_under(archive, new))


def changes_under(
    archive: Archive, policy: PreservationPolicy, seen: Mapping[str, datetime] | None = None
) -> Iterator[DatasetChange]:
    known = seen or {}
    return simulate_policy(
        archive.principal, archive.catalogue, policy, first_seen=lambda _names: known, now=NOW
    )


def volumes(changes: list[DatasetChange]) -> dict[str, dict[str, tuple[int, int]]]:
    return {
        verb: {place: (one.copies, one.size_bytes) for place, one in found.items()}
        for verb, found in total_volumes(changes).items()
    }


def test_the_policy_in_force_changes_nothing(archive: Archive, file: ArchivedFile) -> None:
    assert list(changes_under(archive, archive.policy)) == []


def test_more_copies_are_made_where_there_are_none(archive: Archive, file: ArchivedFile) -> None:
    changes = simulated(archive, "copies: 3")
    assert [one.rules_made for one in changes] == [("3 at OFFSITE=True",)]
    assert volumes(changes) == {"made": {"FRASCATI": (1, file.content.size_bytes)}, "removed": {}}


def test_fewer_copies_are_removed_from_one_of_the_places(archive: Archive, file: ArchivedFile) -> None:
    changes = simulated(archive, "copies: 1")
    assert volumes(changes) == {"made": {}, "removed": {"CSCS|PIC": (1, file.content.size_bytes)}}


def test_copies_move_and_those_of_people_stay(archive: Archive, file: ArchivedFile) -> None:
    size_bytes = file.content.size_bytes
    changes = simulated(archive, "copies: 2, at: CSCS|FRASCATI")
    assert volumes(changes) == {"made": {"FRASCATI": (1, size_bytes)}, "removed": {"PIC": (1, size_bytes)}}
    archive.catalogue.ensure_rule(ReplicationRule(dataset=file.lfn.parent, copies=1, expression="PIC"))
    changes = simulated(archive, "copies: 2, at: CSCS|FRASCATI")
    assert volumes(changes)["removed"] == {}


def test_the_impossible_is_told(archive: Archive, file: ArchivedFile) -> None:
    (change,) = simulated(archive, "copies: 9")
    assert "can hold 3" in change.impossible
    assert change.rules_ended == ()


def test_an_explanation_says_kind_places_and_next_step(archive: Archive, file: ArchivedFile) -> None:
    rules, elements = archive.catalogue.rules(file.lfn.parent), archive.catalogue.storage_elements()
    evidence = MemoryEvidence()
    found = explain_file(archive.policy, file, rules, elements, evidence)
    assert found.kind.name == "simulated"
    assert found.why_kind == [
        "raw: it does not meet data__level = 'DL0'",
        "simulated: it meets data__level = 'SIM'",
    ]
    assert found.places == ["CSCS", "FRASCATI", "PIC"]
    assert round(found.distances_km["CSCS to PIC"] or 0) == 745
    assert found.missing_copies == 0
    assert "on-site copy goes (when-verified)" in found.next
    archive.catalogue.remove_replica(file.lfn, "PIC")
    (less,) = archive.catalogue.files([file.lfn])
    assert less is not None
    assert explain_file(archive.policy, less, rules, elements, evidence).missing_copies == 1
    assert "missing rules" in explain_file(archive.policy, less, [], elements, evidence).next


def test_files_are_meant_by_name_dataset_or_metadata(archive: Archive, file: ArchivedFile) -> None:
    for words in (file.lfn.name, file.lfn.parent, "data__level = 'SIM'"):
        assert [one.lfn for one in files_meant(archive.principal, archive.catalogue, words)] == [file.lfn]
    with pytest.raises(NotFound):
        files_meant(archive.principal, archive.catalogue, str(Lfn(f"{file.lfn.parent}/none")))


def test_temporary_datasets_are_not_the_policys(archive: Archive) -> None:
    lfn = Lfn("/ctao/tmp/jane/files/scratch.h5")
    content = FileContent(size_bytes=1, adler32="00000001")
    scratch = Registration(lfn=lfn, rse="CSCS", content=content, metadata={}, dataset=lfn.parent)
    archive.catalogue.register([scratch])
    archive.catalogue.attach(lfn.parent, [lfn])
    assert simulated(archive, "copies: 3") == []


SEEN = NOW - timedelta(days=100)
YEAR = timedelta(days=365)


@pytest.mark.parametrize(
    ("was", "lifetime", "change", "after"),
    [
        (None, None, None, None),
        (None, "1 year", EndChange.UNMOVED, None),
        (SEEN + YEAR, "1 year", None, None),
        (SEEN + YEAR, None, EndChange.LOSES, None),
        (SEEN + YEAR, "2 years", EndChange.LATER, SEEN + 2 * YEAR),
        (SEEN + YEAR, "200 days", EndChange.UNMOVED, SEEN + YEAR),
    ],
)
def test_what_becomes_of_the_end_of_a_dataset_is_told(
    archive: Archive, file: ArchivedFile, was: datetime | None, lifetime: str | None,
    change: EndChange | None, after: datetime | None,
) -> None:  # fmt: skip
    for rule in archive.catalogue.rules(file.lfn.parent):
        archive.catalogue.remove_rule(rule.rule_id)
        seconds = None if was is None else 1
        archive.catalogue.ensure_rule(
            replace(rule, rule_id="", state=None, expires_at=was, lifetime_seconds=seconds)
        )
    kinds = tuple(
        one.model_copy(update={"lifetime": None if lifetime is None else parse_duration(lifetime)})
        for one in archive.policy.kinds
    )
    new = archive.policy.model_copy(update={"kinds": kinds})
    found = list(changes_under(archive, new, {file.lfn.parent: SEEN}))
    assert [(one.end_change, one.end_before, one.end_after) for one in found] == (
        [] if change is None else [(change, was, after)]
    )


def test_rules_that_replace_all_others_let_nothing_go_earlier(archive: Archive, file: ArchivedFile) -> None:
    (first,) = simulated(archive, "copies: 1, at: CSCS, lifetime: 30 days")
    assert (first.end_change, first.end_before, first.end_after) == (
        EndChange.UNMOVED, None, None,
    )  # fmt: skip
    new = read_policy(f"{HEAD}- {{name: all, free_onsite: never, copies: 1, at: CSCS}}\n", "test")
    for rule in archive.catalogue.rules(file.lfn.parent):
        archive.catalogue.remove_rule(rule.rule_id)
    end = NOW + timedelta(days=60)
    archive.catalogue.ensure_rule(
        ReplicationRule(
            dataset=file.lfn.parent,
            copies=1,
            expression="PIC",
            kind="all",
            lifetime_seconds=1,
            expires_at=end,
        )
    )
    (second,) = changes_under(archive, new)
    assert (second.end_change, second.end_before, second.end_after) == (EndChange.LOSES, end, None)
    (third,) = simulated(archive, "copies: 1, at: CSCS, lifetime: 30 days")
    assert (third.end_change, third.end_after) == (EndChange.UNMOVED, end)
