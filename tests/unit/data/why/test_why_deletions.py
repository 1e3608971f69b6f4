"""A copy that was freed and is still there is explained: which proof is missing, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dpps.adapters.memory.copy_states import MemoryCopyStates
from dpps.adapters.memory.preservation import MemoryEvidence, MemoryFindings
from dpps.adapters.memory.releases import MemoryReleases
from dpps.adapters.memory.sites import MemoryHoldStore
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey, CopyOutcome
from dpps.data.preservation.releasing import Release, ReleaseGate
from dpps.data.why.findings import Explanation, Finding, Weight
from dpps.data.why.observing import WhyParts, why
from dpps.domain.errors import Unavailable
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.conftest import Archive, archive
from tests.unit.data.why.test_why_absent import NothingRefused

__all__ = ["archive"]

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)
ONSITE = "CTAO-NORTH"


@dataclass
class Freed:
    """A file with proven copies at two centres, freed on site and not deleted yet."""

    archive: Archive
    lfn: Lfn
    gate: ReleaseGate

    def why(self, name: str = "") -> Explanation:
        nobody: Any = SimpleNamespace(own_rests=list, bans=list)
        parts = WhyParts(
            catalogue=self.archive.catalogue,
            copies=MemoryCopyStates(self.archive.catalogue),
            requests=cast("Any", None),  # no copy is missing
            sites=cast("Any", SimpleNamespace(holds=MemoryHoldStore(), transfers=nobody)),
            handover=NothingRefused(),
            policy=self.archive.policy,
            evidence=self.gate.reader.evidence,
            findings=MemoryFindings(),
            gate=self.gate,
            clock=lambda: NOW,
        )
        return why(self.archive.principal, parts, name or self.lfn.name)

    def finding(self, code: str, name: str = "") -> Finding:
        (found,) = [one for one in self.why(name).findings if one.code == code]
        return found

    def read(self, rse: str, outcome: CopyOutcome) -> None:
        (file,) = self.archive.catalogue.files([self.lfn])
        assert file is not None
        found = CopyEvidence(
            lfn=self.lfn,
            rse=rse,
            outcome=outcome,
            verified_at=NOW,
            content=file.content,
            problem="a bit is flipped" if outcome is CopyOutcome.DAMAGED else "",
        )
        self.gate.reader.evidence.record([found])

    def mark(self) -> None:
        """Begin the deletion, as the catalogue does."""
        self.archive.catalogue.set_replica(self.lfn, ONSITE, ReplicaState.UNAVAILABLE)


@pytest.fixture
def freed(archive: Archive) -> Freed:
    announce(make_simtel(archive.handover / "run10.simtel"))
    (result,) = archive.ingest()
    assert result.lfn is not None
    archive.replicate(result.lfn, "CSCS", "PIC")
    reader = Reader(storage=archive.storage, evidence=MemoryEvidence(), clock=lambda: NOW)
    prefixes = {one.rse: one.url_prefix for one in archive.catalogue.storage_elements()}
    freed = Freed(
        archive, result.lfn, ReleaseGate(reader=reader, releases=archive.releases, url_prefixes=prefixes)
    )
    for rse in ("CSCS", "PIC"):
        freed.read(rse, CopyOutcome.INTACT)
    (file,) = archive.catalogue.files([freed.lfn])
    assert file is not None
    release = Release(
        lfn=freed.lfn,
        rse=ONSITE,
        dataset=freed.lfn.parent,
        content=file.content,
        relied_on=("CSCS", "PIC"),
        released_at=NOW,
    )
    archive.releases.note([release])
    return freed


@pytest.mark.parametrize("begun", [False, True])
def test_a_copy_that_may_go_is_said_to_go(freed: Freed, begun: bool) -> None:
    if begun:
        freed.mark()
    found = freed.finding("deletion-goes-on")
    assert found.weight is Weight.NOTE
    assert "freed at 2026-02-14 22:00:00 UTC" in found.fact
    assert "onsite-waits" not in {one.code for one in freed.why().findings}


def test_a_deletion_that_waits_names_the_missing_proof_and_what_comes_next(freed: Freed) -> None:
    freed.mark()
    freed.read("PIC", CopyOutcome.DAMAGED)
    freed.archive.storage.unreachable.add(f"memory://{ONSITE}")
    found = freed.finding("deletion-waits")
    assert found.weight is Weight.WAITS
    assert f"the deletion of the copy at {ONSITE} waits" in found.fact
    assert "the copy at PIC was damaged" in found.cause
    assert "a bit is flipped" in found.cause
    assert "whether this copy is whole cannot be told" in found.cause
    assert "CSCS" not in found.cause
    assert found.next
    assert found.when
    assert freed.archive.releases.of([CopyKey(freed.lfn, ONSITE)]), "to explain changes nothing"


def test_a_copy_that_stays_is_said_to_be_available_as_before(freed: Freed) -> None:
    del freed.archive.storage.files[freed.archive.url("CSCS", freed.lfn)]
    found = freed.finding("deletion-withdrawn")
    assert found.weight is Weight.WAITS
    assert "the copy at CSCS cannot be seen whole: there is nothing under its name" in found.cause


def test_a_marked_copy_that_nobody_freed_waits_while_its_bytes_are_in_doubt(freed: Freed) -> None:
    freed.mark()
    freed.archive.releases.forget([CopyKey(freed.lfn, ONSITE)])
    freed.archive.storage.files[freed.archive.url(ONSITE, freed.lfn)] = b"short"
    found = freed.finding("deletion-waits")
    assert "nobody freed it" in found.fact
    assert "it has 5 bytes instead of" in found.cause


def test_a_copy_that_nobody_freed_is_explained_as_ever(freed: Freed) -> None:
    freed.archive.releases.forget([CopyKey(freed.lfn, ONSITE)])
    assert freed.finding("onsite-waits")


def test_what_cannot_be_asked_is_said(freed: Freed) -> None:
    class Silent(MemoryReleases):
        def of(self, copies: object) -> Any:
            raise Unavailable("the database does not answer", code="database-unavailable")

    freed.gate = replace(freed.gate, releases=Silent())
    assert freed.finding("deletion-waits").cause == "the database does not answer"


def test_a_dataset_whose_copies_are_being_deleted_lacks_nothing(freed: Freed) -> None:
    freed.mark()
    freed.read("PIC", CopyOutcome.DAMAGED)
    del freed.archive.storage.files[freed.archive.url("CSCS", freed.lfn)]
    freed.archive.storage.unreachable.add(f"memory://{ONSITE}")
    findings = {one.code: one.fact for one in freed.why(freed.lfn.parent).findings}
    assert {"deletions-begun", "deletion-waits"} <= findings.keys()
    assert findings["dataset-incomplete"] == (
        "1 files; 0 lack a copy that a rule wants, as far as the catalogue knows"
    )
