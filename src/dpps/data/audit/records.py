"""What is known of copies, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = [
    "Alarm",
    "AuditEvent",
    "AuditSummary",
    "CopyEvidence",
    "CopyKey",
    "CopyOutcome",
    "DarkFile",
    "DatasetState",
    "ListedFile",
]


class CopyOutcome(StrEnum):
    """What the last complete reading of a copy showed."""

    UNVERIFIED = "unverified"
    """Nobody has read it back for the audit yet."""
    INTACT = "intact"
    """Size and checksum are those of the file."""
    DAMAGED = "damaged"
    """It was read, and is not the file."""
    LOST = "lost"
    """The catalogue says that it is there; the storage has nothing under that name."""
    UNREADABLE = "unreadable"
    """The storage did not let us read it; no statement about the bytes."""


WRONG_OUTCOMES = (CopyOutcome.DAMAGED, CopyOutcome.LOST, CopyOutcome.UNREADABLE)
"""Outcomes after which a copy is read again soon."""


@dataclass(frozen=True, slots=True, order=True)
class CopyKey:
    """One copy: a file at a storage."""

    lfn: Lfn
    rse: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEvidence:
    """The result of the last reading of one copy."""

    lfn: Lfn
    rse: str
    outcome: CopyOutcome
    verified_at: datetime | None = None
    intact_since: datetime | None = None
    """First of the unbroken series of readings that found it intact."""
    content: FileContent | None = None
    """What was read."""
    problem: str = ""
    released_at: datetime | None = None
    """When the storage was allowed to delete it."""

    @property
    def key(self) -> CopyKey:
        """Which copy."""
        return CopyKey(self.lfn, self.rse)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetState:
    """What is known of one dataset's way to its policy."""

    name: str
    digest: str
    """The policy it was compared with."""
    settled: bool
    """Whether it had everything that the policy asks, and nothing left to do."""
    reason: str
    """What it waits for."""
    first_seen_at: datetime
    looked_at: datetime | None
    due_at: datetime
    """When it is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A file without any good copy. It stands until the file is good again, or someone answers for it."""

    number: int
    lfn: str
    reason: str
    raised_at: datetime
    acknowledged_by: str | None = None
    acknowledgement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that the audit found or did."""

    at: datetime
    kind: str
    """``damaged``, ``lost``, ``declared-bad``, ``repaired``, ``alarm``, ``alarm-over``, ``freed``, …"""
    name: str
    """LFN, dataset or URL."""
    rse: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkFile:
    """A file at a storage that the catalogue does not know."""

    url: str
    rse: str
    temporary: bool
    """Below the temporary scope, or the temporary name of a transfer."""
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file as the listing of a storage shows it."""

    url: str
    changed_at: datetime | None
    """When bytes were last written to it, by the storage's clock; None where the storage does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSummary:
    """How far the audit of one storage is."""

    rse: str
    copies: int
    unverified: int
    """Copies that were never read back for the audit."""
    oldest_at: datetime | None
    """When the copy whose reading is longest ago was read; None when one was never read."""
    intact: int
    damaged: int
    lost: int
    unreadable: int
    oldest_read_at: datetime | None = None
    """The same among the copies that were read; None when none was."""

    def is_behind(self, period: timedelta, now: datetime) -> bool:
        """Tell whether copies wait for their next reading a tenth longer than they should.

        Copies are read one after the other, the never read ones first, so that an audit that is too slow for
        what is archived shows here, too.
        """
        return self.oldest_read_at is not None and now - self.oldest_read_at > 1.1 * period
