"""What every implementation of the ports of audit and preservation must do.

Subclass the suites in ``tests/contract``; give the fixtures ``evidence``, ``states``, ``findings`` and
``releases``, empty.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched

from dpps.data.audit.ports import DatasetStates, Evidence, Findings
from dpps.data.audit.records import AuditEvent, CopyEvidence, CopyKey, CopyOutcome
from dpps.data.preservation.releasing import Release, Releases
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["DatasetStatesContract", "EvidenceContract", "FindingsContract", "ReleasesContract"]

_NOW = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
_DAY = timedelta(days=1)
_DATASET = "/ctao/acada/DL0/day"
_COLLECTION = "/ctao/dpps/collection"
"""A dataset whose files have names of other folders."""
_CONTENT = FileContent(size_bytes=2**40, adler32="00000001")


def _key(name: str, rse: str = "PIC", dataset: str = _DATASET) -> CopyKey:
    return CopyKey(Lfn(f"{dataset}/{name}"), rse)


def _read(key: CopyKey, outcome: CopyOutcome, at: datetime = _NOW) -> CopyEvidence:
    return CopyEvidence(
        lfn=key.lfn,
        rse=key.rse,
        outcome=outcome,
        verified_at=at,
        intact_since=at if outcome is CopyOutcome.INTACT else None,
        content=_CONTENT if outcome is CopyOutcome.INTACT else None,
        problem="" if outcome is CopyOutcome.INTACT else "other bytes",
    )


class EvidenceContract:
    """What readings showed."""

    def test_taking_stock_adds_what_is_new_and_forgets_what_is_gone(self, evidence: Evidence) -> None:
        evidence.take_stock(_DATASET, {_key("a"), _key("b"), _key("a", "CSCS")})
        evidence.record([_read(_key("a"), CopyOutcome.INTACT)])
        other = _key("a", dataset="/ctao/acada/DL0/night")
        evidence.take_stock(other.lfn.parent, {other})
        evidence.take_stock(_DATASET, {_key("a"), _key("c")})
        known = evidence.known([_key(name).lfn for name in "abc"])
        assert {key: one.outcome for key, one in known.items()} == {
            _key("a"): CopyOutcome.INTACT,
            _key("c"): CopyOutcome.UNVERIFIED,
        }
        assert other in evidence.known([other.lfn])

    def test_a_file_belongs_to_the_dataset_in_which_it_was_found(self, evidence: Evidence) -> None:
        elsewhere, here, stray = _key("a"), _key("b"), _key("c")
        evidence.record([_read(elsewhere, CopyOutcome.INTACT), _read(stray, CopyOutcome.INTACT)])
        evidence.take_stock(_COLLECTION, {elsewhere})
        evidence.record([_read(elsewhere, CopyOutcome.INTACT)])
        evidence.mark_released([elsewhere], _NOW)
        evidence.take_stock(_DATASET, {here})
        known = evidence.known([elsewhere.lfn, here.lfn, stray.lfn])
        assert set(known) == {elsewhere, here}
        assert known[elsewhere].released_at == _NOW
        evidence.take_stock(_COLLECTION, set())
        assert set(evidence.known([elsewhere.lfn, here.lfn])) == {here}

    def test_what_is_forgotten_is_gone(self, evidence: Evidence) -> None:
        evidence.take_stock(_DATASET, {_key("a"), _key("b")})
        evidence.forget([_key("a"), _key("unknown")])
        assert list(evidence.known([_key("a").lfn, _key("b").lfn])) == [_key("b")]

    def test_a_reading_is_kept_as_it_was(self, evidence: Evidence) -> None:
        read = _read(_key("a"), CopyOutcome.INTACT)
        evidence.record([read])
        assert evidence.known([read.lfn]) == {read.key: read}
        worse = _read(_key("a"), CopyOutcome.DAMAGED, _NOW + _DAY)
        evidence.record([worse])
        assert evidence.known([read.lfn]) == {read.key: worse}

    def test_the_oldest_come_first_and_those_never_read_before_them(self, evidence: Evidence) -> None:
        evidence.take_stock(_DATASET, {_key("new"), _key("elsewhere", "CSCS")})
        for name, age in {"fresh": 0, "old": 9, "older": 10}.items():
            evidence.record([_read(_key(name), CopyOutcome.INTACT, _NOW - age * _DAY)])
        due = evidence.oldest("PIC", _NOW - _DAY, 10)
        assert [one.lfn.basename for one in due] == ["new", "older", "old"]
        assert evidence.oldest("PIC", _NOW - _DAY, 1) == due[:1]

    def test_wrong_copies_are_found_again(self, evidence: Evidence) -> None:
        wrong = (CopyOutcome.DAMAGED, CopyOutcome.LOST, CopyOutcome.UNREADABLE)
        for outcome in (CopyOutcome.INTACT, *wrong):
            evidence.record([_read(_key(outcome.value), outcome)])
        found = evidence.wrong("PIC", _NOW + _DAY, 10)
        assert {one.lfn.basename for one in found} == {one.value for one in wrong}
        assert evidence.wrong("PIC", _NOW, 10) == []

    def test_a_release_is_remembered_beside_later_readings(self, evidence: Evidence) -> None:
        read = _read(_key("a"), CopyOutcome.INTACT)
        evidence.record([read])
        evidence.mark_released([read.key, _key("unknown")], _NOW)
        evidence.record([read])
        assert evidence.known([read.lfn])[read.key].released_at == _NOW
        assert evidence.oldest("PIC", _NOW + _DAY, 10) == []
        evidence.mark_released([read.key], None)
        assert evidence.known([read.lfn])[read.key].released_at is None
        assert evidence.oldest("PIC", _NOW + _DAY, 10) == [read.key]

    def test_summaries_count_by_storage(self, evidence: Evidence) -> None:
        evidence.record([_read(_key("a"), CopyOutcome.INTACT), _read(_key("b"), CopyOutcome.DAMAGED)])
        evidence.take_stock(_DATASET, {_key("a"), _key("b"), _key("c", "CSCS")})
        cscs, pic = evidence.summaries()
        assert (cscs.rse, cscs.copies, cscs.unverified, cscs.oldest_at) == ("CSCS", 1, 1, None)
        assert (pic.copies, pic.intact, pic.damaged, pic.lost, pic.oldest_at) == (2, 1, 1, 0, _NOW)

    def test_what_is_held_is_held_once(self, evidence: Evidence) -> None:
        with evidence.exclusive("a") as held:
            assert held
            with evidence.exclusive("a") as again, evidence.exclusive("b") as other:
                assert not again
                assert other
            held.confirm()
        with evidence.exclusive("a") as free:
            assert free


class ReleasesContract:
    """On which grounds copies were released."""

    def test_a_release_is_kept_as_it_was_until_the_next_one(self, releases: Releases) -> None:
        first = _release(_key("a"))
        releases.note([first, _release(_key("b"))])
        assert releases.of([first.key, _key("a", "CSCS"), _key("c")]) == {first.key: first}
        later = replace(first, relied_on=("CSCS", "FRASCATI"), released_at=_NOW + _DAY)
        releases.note([later])
        assert releases.of([first.key]) == {first.key: later}

    def test_what_is_forgotten_is_gone(self, releases: Releases) -> None:
        releases.note([_release(_key("a")), _release(_key("a", "CSCS"))])
        releases.forget([_key("a"), _key("unknown")])
        assert list(releases.of([_key("a"), _key("a", "CSCS")])) == [_key("a", "CSCS")]
        releases.forget([])

    def test_releases_of_copies_that_are_gone_are_forgotten_by_dataset(self, releases: Releases) -> None:
        other = _key("a", dataset="/ctao/acada/DL0/night")
        keys = [_key("a"), _key("b"), other]
        releases.note([_release(key) for key in keys])
        releases.forget_all_but(_DATASET, {_key("b"), _key("c")})
        assert set(releases.of(keys)) == {_key("b"), other}

    def test_a_release_belongs_to_the_dataset_that_it_names(self, releases: Releases) -> None:
        elsewhere, here = _key("a"), _key("b")
        releases.note([_release(elsewhere), _release(here)])
        releases.note([_release(elsewhere, _COLLECTION)])
        releases.forget_all_but(_DATASET, set())
        assert set(releases.of([elsewhere, here])) == {elsewhere}
        releases.forget_all_but(_COLLECTION, set())
        assert releases.of([elsewhere]) == {}


def _release(key: CopyKey, dataset: str = "") -> Release:
    return Release(
        lfn=key.lfn,
        rse=key.rse,
        dataset=dataset or key.lfn.parent,
        content=_CONTENT,
        relied_on=("CSCS", "PIC"),
        released_at=_NOW,
    )


class DatasetStatesContract:
    """How far datasets are."""

    def test_new_datasets_are_due_and_settled_ones_later(self, states: DatasetStates) -> None:
        states.note_seen(["/a/b/1", "/a/b/2", "/a/b/1"], "p1", _NOW, due=False)
        assert [one.name for one in states.due("p1", _NOW, 10)] == ["/a/b/1", "/a/b/2"]
        states.note_look("/a/b/1", "p1", "", _NOW, _NOW + _DAY)
        states.note_look("/a/b/2", "p1", "a copy is missing", _NOW, _NOW + _DAY / 24)
        assert states.due("p1", _NOW, 10) == []
        assert states.counts() == (1, 1)
        (unsettled,) = states.due("p1", _NOW + _DAY / 2, 10)
        assert (unsettled.name, unsettled.reason, unsettled.first_seen_at) == (
            "/a/b/2",
            "a copy is missing",
            _NOW,
        )

    def test_another_policy_makes_all_due_and_changes_some(self, states: DatasetStates) -> None:
        for name in ("/a/b/1", "/a/b/2"):
            states.note_look(name, "p1", "", _NOW, _NOW + _DAY)
        assert len(states.due("p2", _NOW, 10)) == 2
        assert len(states.due("p2", _NOW, 1)) == 1
        states.note_seen(["/a/b/2"], "p1", _NOW, due=False)
        assert states.due("p1", _NOW, 10) == []
        states.note_seen(["/a/b/2"], "p1", _NOW, due=True)
        assert [one.name for one in states.due("p1", _NOW, 10)] == ["/a/b/2"]

    def test_a_dataset_that_is_forgotten_is_not_looked_at(self, states: DatasetStates) -> None:
        states.note_seen(["/a/b/c", "/a/b/d"], "1", _NOW, due=False)
        states.forget("/a/b/c")
        states.forget("/a/b/unknown")
        assert [one.name for one in states.due("1", _NOW, 10)] == ["/a/b/d"]

    def test_it_is_known_since_when_datasets_have_been_there(self, states: DatasetStates) -> None:
        states.note_seen(["/a/b/1"], "1", _NOW, due=False)
        states.note_seen(["/a/b/1", "/a/b/2"], "1", _NOW + _DAY, due=True)
        states.note_look("/a/b/1", "1", "", _NOW + _DAY, _NOW + 2 * _DAY)
        found = states.first_seen(["/a/b/2", "/a/b/unknown", "/a/b/1"])
        assert found == {"/a/b/1": _NOW, "/a/b/2": _NOW + _DAY}
        assert states.first_seen([]) == {}

    def test_a_change_during_a_look_is_not_lost(self, states: DatasetStates) -> None:
        states.note_look("/a/b/1", "p1", "", _NOW - _DAY, _NOW)
        changed_at = _NOW + timedelta(seconds=1)
        states.note_seen(["/a/b/1"], "p1", changed_at, due=True)
        states.note_look("/a/b/1", "p1", "", _NOW, _NOW + _DAY)
        assert [one.name for one in states.due("p1", changed_at, 10)] == ["/a/b/1"]

    def test_cursors(self, states: DatasetStates) -> None:
        assert states.cursor("rules") is None
        states.set_cursor("rules", _NOW)
        states.set_cursor("rules", _NOW + _DAY)
        assert states.cursor("rules") == _NOW + _DAY


class FindingsContract:
    """Alarms, events and dark files."""

    def test_an_alarm_stands_once_until_it_is_over(self, findings: Findings) -> None:
        assert findings.raise_alarm("/a/b/1", "no good copy", _NOW)
        assert not findings.raise_alarm("/a/b/1", "no good copy", _NOW + _DAY)
        (alarm,) = findings.alarms()
        assert (alarm.lfn, alarm.reason, alarm.raised_at, alarm.acknowledged_by) == (
            "/a/b/1",
            "no good copy",
            _NOW,
            None,
        )
        assert findings.acknowledge(alarm.number, "alice", "asked the site", _NOW)
        assert not findings.acknowledge(alarm.number + 1, "alice", "asked the site", _NOW)
        (alarm,) = findings.alarms()
        assert (alarm.acknowledged_by, alarm.acknowledgement) == ("alice", "asked the site")
        assert findings.end_alarm("/a/b/1", _NOW)
        assert not findings.end_alarm("/a/b/1", _NOW)
        assert findings.alarms() == []
        assert findings.raise_alarm("/a/b/1", "again", _NOW)

    def test_the_newest_events_come_first(self, findings: Findings) -> None:
        events = [AuditEvent(at=_NOW, kind="damaged", name=f"/a/b/{n}", rse="PIC") for n in range(3)]
        for event in events:
            findings.note(event)
        assert findings.events(2) == [events[2], events[1]]

    def test_dark_files_keep_the_time_of_their_first_sight(self, findings: Findings) -> None:
        findings.see_dark("PIC", {"u://a": False, "u://b": True}, _NOW)
        findings.see_dark("PIC", {"u://b": True}, _NOW + _DAY)
        findings.see_dark("CSCS", {"u://c": False}, _NOW + _DAY)
        assert [one.url for one in findings.dark(_NOW)] == ["u://a", "u://b"]
        assert [one.url for one in findings.dark(_NOW + _DAY)] == ["u://c", "u://a", "u://b"]
        assert [one.url for one in findings.dark(_NOW + _DAY, rse="CSCS")] == ["u://c"]
        findings.forget_dark("PIC", _NOW + _DAY)
        (left,) = findings.dark(_NOW, rse="PIC")
        assert (left.url, left.temporary, left.first_seen_at, left.last_seen_at) == (
            "u://b",
            True,
            _NOW,
            _NOW + _DAY,
        )
        findings.drop_dark(["u://b"])
        assert list(findings.dark(_NOW, rse="PIC")) == []

    def test_dark_files_are_chosen_and_counted(self, findings: Findings) -> None:
        findings.see_dark("PIC", {"u://a": False, "u://b": True, "u://c": True}, _NOW)
        findings.see_dark("CSCS", {"u://d": True}, _NOW)
        findings.see_dark("PIC", {"u://e": True}, _NOW + _DAY)
        assert [one.url for one in findings.dark(_NOW, temporary=True)] == ["u://d", "u://b", "u://c"]
        assert [one.url for one in findings.dark(_NOW, temporary=False)] == ["u://a"]
        named = findings.dark(_NOW, urls=["u://c", "u://d", "u://e", "u://unknown"])
        assert {one.url for one in named} == {"u://c", "u://d"}
        assert list(findings.dark(_NOW, urls=[])) == []
        behind = findings.dark(_NOW, after=("PIC", "u://a"))
        assert [one.url for one in behind] == ["u://b", "u://c"]
        assert [one.url for one in findings.dark(_NOW, after=("CSCS", "u://gone"), rse="PIC")] == [
            "u://a", "u://b", "u://c",
        ]  # fmt: skip
        assert list(findings.dark(_NOW, after=("PIC", "u://c"))) == []
        assert (findings.count_dark(_NOW, "PIC"), findings.count_dark(_NOW + _DAY, "PIC")) == (3, 4)
        assert findings.count_dark(_NOW, "FRASCATI") == 0

    def test_many_dark_files_come_in_order_while_they_are_dropped(self, findings: Findings) -> None:
        urls = [f"u://{number:05d}" for number in range(2500)]
        findings.see_dark("PIC", dict.fromkeys(reversed(urls), True), _NOW)
        found: list[str] = []
        for some in batched(findings.dark(_NOW), 300):
            found += [one.url for one in some]
            findings.drop_dark(found[-len(some) :])
        assert found == urls
        assert findings.count_dark(_NOW, "PIC") == 0

    def test_old_events_are_forgotten_but_those_of_standing_alarms(self, findings: Findings) -> None:
        old, kept, new = (
            AuditEvent(at=at, kind="damaged", name=name, rse="PIC")
            for at, name in ((_NOW, "/a/b/1"), (_NOW, "/a/b/2"), (_NOW + _DAY, "/a/b/1"))
        )
        for event in (old, kept, new):
            findings.note(event)
        for lfn in ("/a/b/1", "/a/b/2"):
            findings.raise_alarm(lfn, "no good copy", _NOW)
        findings.end_alarm("/a/b/1", _NOW)
        assert findings.forget_events(_NOW) == 0
        assert findings.forget_events(_NOW + _DAY) == 1
        assert findings.events(10) == [new, kept]
        findings.end_alarm("/a/b/2", _NOW)
        assert findings.forget_events(_NOW + _DAY) == 1
        assert findings.events(10) == [new]
