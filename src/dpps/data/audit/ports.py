"""What audit and preservation remember, and what they need beyond the archive's ports.

Evidence and findings are truths of ours. What copies there are, and what they must contain, is the
catalogue's truth: it is asked anew before anything is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from dpps.data.audit.records import (
    Alarm,
    AuditEvent,
    AuditSummary,
    CopyEvidence,
    CopyKey,
    DarkFile,
    DatasetState,
    ListedFile,
)
from dpps.data.transfers.ports import TransferStorage
from dpps.domain.names import Lfn

__all__ = [
    "BadCopies",
    "CatalogueChanges",
    "DatasetStates",
    "Evidence",
    "ExclusiveRight",
    "Findings",
    "StorageSurvey",
    "SurveyedStorage",
]


class ExclusiveRight(Protocol):
    """The right to free or give up copies of something, while it lasts."""

    def confirm(self) -> None:
        """Make sure, right before something is done, that nobody else can have the right by now.

        Raises
        ------
        Unavailable
            When it was lost: nothing may be done any more.
        """
        ...


class Evidence(Protocol):
    """What the readings of copies showed."""

    def take_stock(self, dataset: str, copies: Collection[CopyKey]) -> None:
        """Note which copies a dataset's files have now; those of it that are not named are forgotten.

        A copy belongs to the dataset whose stock was taken last with it; its name does not matter.
        """
        ...

    def forget(self, copies: Sequence[CopyKey]) -> None:
        """Forget copies that are no more."""
        ...

    def record(self, evidence: Sequence[CopyEvidence]) -> None:
        """Note readings, of copies known or new."""
        ...

    def known(self, lfns: Sequence[Lfn]) -> Mapping[CopyKey, CopyEvidence]:
        """Return what is known of the copies of files."""
        ...

    def oldest(self, rse: str, before: datetime, limit: int) -> list[CopyKey]:
        """Return copies whose last reading is before a time: never read ones first, then the oldest."""
        ...

    def wrong(self, rse: str, before: datetime, limit: int) -> list[CopyKey]:
        """Return copies that were damaged, lost or unreadable when last read, before a time."""
        ...

    def mark_released(self, copies: Sequence[CopyKey], at: datetime | None) -> None:
        """Note that the storage may delete these copies; with None, that it may not any more."""
        ...

    def summaries(self) -> list[AuditSummary]:
        """Return how far the audit is, by storage."""
        ...

    def exclusive(self, what: str) -> AbstractContextManager[ExclusiveRight | None]:
        """Hold the right to free or give up copies of something; None when another process holds it."""
        ...


class DatasetStates(Protocol):
    """How far each dataset is on its way to the policy."""

    def note_seen(self, names: Iterable[str], digest: str, at: datetime, *, due: bool) -> None:
        """Enter datasets that are new; with ``due``, have the known ones looked at now, too."""
        ...

    def due(self, digest: str, at: datetime, limit: int) -> list[DatasetState]:
        """Return datasets to look at: due ones, and those last compared with another policy."""
        ...

    def forget(self, name: str) -> None:
        """Forget a dataset that is no more; unknown is no error."""
        ...

    def first_seen(self, names: Sequence[str]) -> Mapping[str, datetime]:
        """Return since when datasets have been known, by name; unknown ones are left out."""
        ...

    def note_look(self, name: str, digest: str, reason: str, at: datetime, due_at: datetime) -> None:
        """Note a look at a dataset; an empty reason means that nothing is left to do."""
        ...

    def counts(self) -> tuple[int, int]:
        """Return the numbers of settled and of unsettled datasets."""
        ...

    def cursor(self, name: str) -> datetime | None:
        """Return how far a recurring listing has come."""
        ...

    def set_cursor(self, name: str, at: datetime) -> None:
        """Note how far a recurring listing has come."""
        ...


class Findings(Protocol):
    """Alarms, events and dark files."""

    def raise_alarm(self, lfn: str, reason: str, at: datetime) -> bool:
        """Let an alarm stand for a file; tell whether it is a new one."""
        ...

    def end_alarm(self, lfn: str, at: datetime) -> bool:
        """End the alarm of a file that is good again; tell whether one stood."""
        ...

    def acknowledge(self, number: int, who: str, reason: str, at: datetime) -> bool:
        """Note who answers for an alarm, and why; tell whether it stands."""
        ...

    def alarms(self) -> list[Alarm]:
        """Return the alarms that stand, the oldest first."""
        ...

    def note(self, event: AuditEvent) -> None:
        """Remember an event."""
        ...

    def events(self, limit: int) -> list[AuditEvent]:
        """Return the latest events, the newest first."""
        ...

    def forget_events(self, before: datetime) -> int:
        """Forget events before a time but those of files whose alarm stands; return their number."""
        ...

    def see_dark(self, rse: str, urls: Mapping[str, bool], at: datetime) -> None:
        """Note unknown files seen at a storage, by URL, and whether each is a temporary one."""
        ...

    def forget_dark(self, rse: str, before: datetime) -> None:
        """Forget files of a storage that were last seen before a time."""
        ...

    def drop_dark(self, urls: Sequence[str]) -> None:
        """Forget files."""
        ...

    def dark(
        self,
        seen_before: datetime,
        *,
        rse: str | None = None,
        temporary: bool | None = None,
        urls: Sequence[str] | None = None,
        after: tuple[str, str] | None = None,
    ) -> Iterator[DarkFile]:
        """Yield files that were seen first before a time, by storage and URL; memory does not grow with them.

        What is yielded may be dropped meanwhile.

        Parameters
        ----------
        seen_before : datetime
            When they were seen first at the latest.
        rse : str, optional
            Those of one storage.
        temporary : bool, optional
            Temporary ones, or the others.
        urls : sequence of str, optional
            Those among these.
        after : tuple of str, optional
            Those behind this storage and URL.
        """
        ...

    def count_dark(self, seen_before: datetime, rse: str) -> int:
        """Return the number of files of a storage that were seen first before a time."""
        ...


class CatalogueChanges(Protocol):
    """What has changed in the catalogue."""

    def datasets_changed_since(self, at: datetime) -> Iterator[str]:
        """Yield datasets whose rules changed; attaching files to a dataset changes its rules."""
        ...


class BadCopies(Protocol):
    """Telling the catalogue about damage."""

    def declare_bad(self, copies: Sequence[CopyKey], reason: str) -> None:
        """Have copies replaced from good ones.

        The caller has read another copy and found it intact: without one the catalogue would give the
        file up.
        """
        ...


class StorageSurvey(Protocol):
    """Everything that lies at a storage, temporary names included."""

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files below a URL, folder by folder, by name; none when it is absent.

        Raises
        ------
        Unavailable
            When the storage does not answer, or is not there: an empty list would be no statement about it.
        """
        ...


class SurveyedStorage(TransferStorage, StorageSurvey, Protocol):
    """A storage that also lists what is not complete."""
