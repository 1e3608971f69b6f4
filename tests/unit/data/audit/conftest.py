from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from dpps.adapters.memory.changes import MemoryBadCopies
from dpps.adapters.memory.preservation import MemoryEvidence, MemoryFindings
from dpps.data.audit.damage import DamageControl
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey
from dpps.data.audit.verifying import AuditSettings, audit_pass
from dpps.domain.names import Lfn
from tests.unit.data.conftest import Archive, archive

__all__ = ["Audit", "archive"]


@dataclass
class Audit:
    """An audit of an archive in memory, with a time that tests set."""

    archive: Archive
    evidence: MemoryEvidence = field(default_factory=MemoryEvidence)
    findings: MemoryFindings = field(default_factory=MemoryFindings)
    now: datetime = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
    paused_seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bad_copies = MemoryBadCopies(self.archive.catalogue)
        reader = Reader(storage=self.archive.storage, evidence=self.evidence, clock=lambda: self.now)
        self.control = DamageControl(reader=reader, findings=self.findings, bad_copies=self.bad_copies)

    @property
    def declared(self) -> list[CopyKey]:
        """Copies that were declared bad."""
        return self.bad_copies.declared

    def read(
        self, *rses: str, period: timedelta = timedelta(days=90), copies: int = 50
    ) -> list[CopyEvidence]:
        """Make one pass, a while after the last one."""
        self.now += timedelta(minutes=2)
        settings = AuditSettings(period=period, bytes_per_second=1000.0, copies_per_round=copies)
        return list(
            audit_pass(
                self.archive.principal,
                self.archive.catalogue,
                self.control,
                settings,
                rses=rses or ("CSCS", "PIC"),
                pause=self.paused_seconds.append,
            )
        )

    def kinds(self) -> list[str]:
        """Return what happened, the first first."""
        return [event.kind for event in self.findings.events(100)][::-1]

    def put(self, rse: str, lfn: Lfn, data: bytes) -> None:
        """Replace the bytes of a copy."""
        self.archive.storage.files[self.archive.url(rse, lfn)] = data

    def bytes_at(self, rse: str, lfn: Lfn) -> bytes:
        """Return the bytes of a copy."""
        return self.archive.storage.files[self.archive.url(rse, lfn)]


@pytest.fixture
def audit(archive: Archive) -> Audit:
    return Audit(archive)
