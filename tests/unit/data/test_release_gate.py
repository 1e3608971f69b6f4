"""At the moment of its deletion a released copy needs the proof of the others still."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.adapters.memory.releases import MemoryReleases
from dpps.adapters.memory.storage import MemoryStorage
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey, CopyOutcome
from dpps.data.preservation.releasing import GateDecision, GateVerdict, Release, ReleaseGate
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

_NOW = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
_LFN = Lfn("/ctao/acada/DL0/a.fits.fz")
_CONTENT = FileContent(size_bytes=3, adler32="024d0127")
_ONSITE = "CTAO-NORTH"


class World:
    """A file with a released copy on site and two proven ones elsewhere."""

    def __init__(self) -> None:
        self.storage, self.evidence, self.releases = MemoryStorage(), MemoryEvidence(), MemoryReleases()
        self.now = _NOW
        for rse in (_ONSITE, "CSCS", "PIC"):
            self.storage.files[f"memory://{rse}{_LFN}"] = b"abc"
        for rse in ("CSCS", "PIC"):
            self.note(rse, CopyOutcome.INTACT)
        self.release("CSCS", "PIC")

    def note(self, rse: str, outcome: CopyOutcome) -> None:
        one = CopyEvidence(lfn=_LFN, rse=rse, outcome=outcome, verified_at=_NOW, content=_CONTENT)
        self.evidence.record([one])

    def release(self, *relied_on: str) -> None:
        release = Release(
            lfn=_LFN,
            rse=_ONSITE,
            dataset=_LFN.parent,
            content=_CONTENT,
            relied_on=relied_on,
            released_at=_NOW,
        )
        self.releases.note([release])

    def verdict(self) -> GateVerdict:
        return self.gate().verdicts(_ONSITE, [_LFN])[_LFN]

    def decision(self) -> GateDecision:
        return self.gate().decisions(_ONSITE, [_LFN])[_LFN]

    def gate(self) -> ReleaseGate:
        return ReleaseGate(
            reader=Reader(storage=self.storage, evidence=self.evidence, clock=lambda: self.now),
            releases=self.releases,
            url_prefixes={rse: f"memory://{rse}" for rse in (_ONSITE, "CSCS", "PIC")},
        )


@pytest.fixture
def world() -> World:
    return World()


def test_a_release_that_stands_lets_the_copy_go(world: World) -> None:
    assert world.verdict() is GateVerdict.GOES


def test_what_nobody_released_is_told_apart(world: World) -> None:
    world.releases.forget([CopyKey(_LFN, _ONSITE)])
    assert world.verdict() is GateVerdict.UNKNOWN
    assert world.gate().abandoned(_ONSITE, _LFN, 3).verdict is GateVerdict.STAYS
    assert world.gate().abandoned(_ONSITE, _LFN, 4).verdict is GateVerdict.WAITS
    del world.storage.files[f"memory://{_ONSITE}{_LFN}"]
    assert world.gate().abandoned(_ONSITE, _LFN, 3).verdict is GateVerdict.GOES


@pytest.mark.parametrize("outcome", [one for one in CopyOutcome if one is not CopyOutcome.INTACT])
def test_a_copy_that_was_read_as_anything_but_intact_proves_nothing(
    world: World, outcome: CopyOutcome
) -> None:
    world.note("PIC", outcome)
    assert world.verdict() is GateVerdict.STAYS


def test_a_copy_of_which_the_audit_knows_nothing_proves_nothing(world: World) -> None:
    world.evidence.forget([CopyKey(_LFN, "PIC")])
    assert world.verdict() is GateVerdict.STAYS


def test_a_copy_that_is_released_itself_proves_nothing(world: World) -> None:
    world.evidence.mark_released([CopyKey(_LFN, "PIC")], _NOW)
    assert world.verdict() is GateVerdict.STAYS


def test_a_proof_of_other_bytes_proves_nothing(world: World) -> None:
    (known,) = [one for key, one in world.evidence.known([_LFN]).items() if key.rse == "PIC"]
    other = replace(_CONTENT, adler32="00000001")
    world.evidence.record([replace(known, content=other)])
    assert world.verdict() is GateVerdict.STAYS


@pytest.mark.parametrize("days", [-1, 8])
def test_a_proof_that_is_too_old_or_from_the_future_proves_nothing(world: World, days: int) -> None:
    world.now += timedelta(days=days)
    assert world.verdict() is GateVerdict.STAYS


def test_a_copy_that_is_not_there_at_this_moment_proves_nothing(world: World) -> None:
    url = f"memory://PIC{_LFN}"
    data = world.storage.files.pop(url)
    assert world.verdict() is GateVerdict.STAYS
    world.storage.files[url] = data + b"more"
    assert world.verdict() is GateVerdict.STAYS
    world.storage.files[url] = data
    world.storage.unreachable.add("memory://PIC")
    assert world.verdict() is GateVerdict.STAYS


def test_a_storage_that_does_not_answer_is_not_asked_for_every_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lfns = [Lfn(f"/ctao/acada/DL0/{number}.fits.fz") for number in range(20)]
    (release,) = world.releases.of([CopyKey(_LFN, _ONSITE)]).values()
    world.releases.note([replace(release, lfn=lfn) for lfn in lfns])
    proofs = world.evidence.known([_LFN]).values()
    world.evidence.record([replace(one, lfn=lfn) for one in proofs for lfn in lfns])
    world.storage.unreachable.update({"memory://CSCS", f"memory://{_ONSITE}"})
    asked, size_bytes = Counter[str](), world.storage.size_bytes

    def counted(url: str) -> int | None:
        asked[url.split("/")[2]] += 1
        return size_bytes(url)

    monkeypatch.setattr(world.storage, "size_bytes", counted)
    gate = world.gate()
    assert set(gate.verdicts(_ONSITE, lfns).values()) == {GateVerdict.WAITS}
    assert (asked["CSCS"], asked[_ONSITE]) == (3, 3)
    world.storage.unreachable.clear()
    for lfn in lfns:
        for rse in ("CSCS", "PIC"):
            world.storage.files[f"memory://{rse}{lfn}"] = b"abc"
    assert set(gate.verdicts(_ONSITE, lfns).values()) == {GateVerdict.GOES}


def test_a_storage_that_is_no_part_of_the_system_any_more_proves_nothing(world: World) -> None:
    world.release("CSCS", "GONE")
    assert world.verdict() is GateVerdict.STAYS


def test_a_decision_says_which_proof_is_missing_and_changes_nothing(world: World) -> None:
    assert world.decision() == GateDecision(verdict=GateVerdict.GOES, released_at=_NOW)
    world.note("PIC", CopyOutcome.DAMAGED)
    del world.storage.files[f"memory://CSCS{_LFN}"]
    world.storage.unreachable.add(f"memory://{_ONSITE}")
    waits = world.decision()
    assert (waits.verdict, waits.released_at) == (GateVerdict.WAITS, _NOW)
    cscs, pic = waits.lapsed
    assert "the copy at CSCS cannot be seen whole: there is nothing under its name" in cscs
    assert "the copy at PIC was damaged when it was last read back, at 2026-02-14 21:30 UTC" in pic
    assert "does not answer" in waits.doubt
    world.evidence.forget([CopyKey(_LFN, "PIC")])
    world.release("PIC", "GONE")
    world.note("GONE", CopyOutcome.INTACT)
    assert world.decision().lapsed == (
        "the copy at PIC was never read back",
        "the copy at GONE cannot be seen whole: GONE is no storage of this system any more",
    )
    world.storage.unreachable.clear()
    world.release()
    stays = world.decision()
    assert (stays.verdict, stays.doubt) == (GateVerdict.STAYS, "")
    assert stays.lapsed == ("the release names no copy on which it relied",)
    assert world.releases.of([CopyKey(_LFN, _ONSITE)]), "to decide is not to withdraw"


def test_each_lapse_has_words_of_its_own(world: World) -> None:
    here = CopyKey(_LFN, "PIC")
    world.evidence.mark_released([here], _NOW)
    assert "was freed itself" in world.decision().lapsed[0]
    world.evidence.mark_released([here], None)
    world.now += timedelta(days=8)
    assert all("too long ago" in one for one in world.decision().lapsed)
    world.now -= timedelta(days=8)
    (known,) = [one for key, one in world.evidence.known([_LFN]).items() if key.rse == "PIC"]
    world.evidence.record([replace(known, content=replace(_CONTENT, adler32="00000001"))])
    assert "had other bytes" in world.decision().lapsed[0]


def test_a_release_that_is_withdrawn_leaves_a_copy_like_any_other(world: World) -> None:
    world.note(_ONSITE, CopyOutcome.INTACT)
    here = CopyKey(_LFN, _ONSITE)
    world.evidence.mark_released([here], _NOW)
    world.gate().withdraw(_ONSITE, [_LFN])
    assert world.evidence.known([_LFN])[here].released_at is None
    assert world.releases.of([here]) == {}


def test_a_release_without_grounds_does_not_stand(world: World) -> None:
    world.release()
    assert world.verdict() is GateVerdict.STAYS


def test_without_proof_a_copy_whose_bytes_are_gone_goes_and_a_doubtful_one_waits(world: World) -> None:
    world.note("PIC", CopyOutcome.DAMAGED)
    url = f"memory://{_ONSITE}{_LFN}"
    world.storage.files[url] = b"a"
    assert world.verdict() is GateVerdict.WAITS
    world.storage.unreachable.add(f"memory://{_ONSITE}")
    assert world.verdict() is GateVerdict.WAITS
    world.storage.unreachable.clear()
    del world.storage.files[url]
    assert world.verdict() is GateVerdict.GOES
