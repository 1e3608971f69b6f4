"""An archive at which preservation looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyKey, CopyOutcome
from dpps.data.policy import PreservationPolicy
from dpps.data.preservation import (
    DatasetLook,
    Keeping,
    OnsiteCopy,
    preservation_pass,
)
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_simtel
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


@pytest.fixture
def freed(archive: Archive, lfn: Lfn, look: Look) -> Lfn:
    """Let a file be free to go on site, with the bytes still there."""
    archive.replicate(lfn, "CSCS", "PIC")
    archive.fulfil_rules()
    assert look()[0].freed == 1
    return lfn


def two_copies_elsewhere(policy: PreservationPolicy) -> PreservationPolicy:
    kinds = [kind.model_copy(update={"at": "CSCS|FRASCATI"}) for kind in policy.kinds]
    return policy.model_copy(update={"kinds": tuple(kinds)})


def lapse_by_damage(archive: Archive, evidence: MemoryEvidence, lfn: Lfn) -> None:
    archive.storage.files[archive.url("PIC", lfn)] = b"rotten"
    found = replace(evidence.known([lfn])[CopyKey(lfn, "PIC")], outcome=CopyOutcome.DAMAGED)
    evidence.record([found])


def lapse_by_loss(archive: Archive, _evidence: MemoryEvidence, lfn: Lfn) -> None:
    archive.storage.delete(archive.url("PIC", lfn))
