"""Evidence, states of datasets and findings, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from dpps.data.audit.records import (
    WRONG_OUTCOMES,
    Alarm,
    AuditEvent,
    AuditSummary,
    CopyEvidence,
    CopyKey,
    CopyOutcome,
    DarkFile,
    DatasetState,
)
from dpps.domain.errors import Unavailable
from dpps.domain.names import Lfn

__all__ = ["MemoryDatasetStates", "MemoryEvidence", "MemoryFindings", "MemoryRight"]


class MemoryEvidence:
    """Readings in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[CopyKey, CopyEvidence] = {}
        self._datasets: dict[CopyKey, str] = {}
        self.held: set[str] = set()
        """What is held exclusively."""

    def take_stock(self, dataset: str, copies: Collection[CopyKey]) -> None:
        """Note which copies a dataset's files have now; those of it that are not named are forgotten."""
        ours = [key for key, name in self._datasets.items() if name == dataset]
        self.forget([key for key in ours if key not in copies])
        for key in copies:
            new = CopyEvidence(lfn=key.lfn, rse=key.rse, outcome=CopyOutcome.UNVERIFIED)
            self._rows.setdefault(key, new)
            self._datasets[key] = dataset

    def forget(self, copies: Sequence[CopyKey]) -> None:
        """Forget copies that are no more."""
        for key in copies:
            self._rows.pop(key, None)
            self._datasets.pop(key, None)

    def record(self, evidence: Sequence[CopyEvidence]) -> None:
        """Note readings, of copies known or new."""
        for one in evidence:
            before = self._rows.get(one.key)
            self._rows[one.key] = replace(one, released_at=before.released_at if before else None)
            self._datasets.setdefault(one.key, one.lfn.parent)

    def known(self, lfns: Sequence[Lfn]) -> Mapping[CopyKey, CopyEvidence]:
        """Return what is known of the copies of files."""
        return {key: one for key, one in self._rows.items() if key.lfn in lfns}

    def oldest(self, rse: str, before: datetime, limit: int) -> list[CopyKey]:
        """Return copies whose last reading is before a time: never read ones first, then the oldest."""
        due = [
            one
            for one in self._rows.values()
            if one.rse == rse
            and one.released_at is None
            and (one.verified_at is None or one.verified_at < before)
        ]
        due.sort(key=lambda one: (one.verified_at is not None, one.verified_at or before, one.lfn))
        return [one.key for one in due[:limit]]

    def wrong(self, rse: str, before: datetime, limit: int) -> list[CopyKey]:
        """Return copies that were damaged, lost or unreadable when last read, before a time."""
        found = [
            (one.verified_at, one.key)
            for one in self._rows.values()
            if one.rse == rse
            and one.released_at is None
            and one.outcome in WRONG_OUTCOMES
            and one.verified_at is not None
            and one.verified_at < before
        ]
        return [key for _, key in sorted(found)[:limit]]

    def mark_released(self, copies: Sequence[CopyKey], at: datetime | None) -> None:
        """Note that the storage may delete these copies; with None, that it may not any more."""
        for key in copies:
            if key in self._rows:
                self._rows[key] = replace(self._rows[key], released_at=at)

    def summaries(self) -> list[AuditSummary]:
        """Return how far the audit is, by storage."""
        return [
            _summary(rse, [one for one in self._rows.values() if one.rse == rse])
            for rse in sorted({key.rse for key in self._rows})
        ]

    @contextmanager
    def exclusive(self, what: str) -> Iterator[MemoryRight | None]:
        """Hold the right to free or give up copies of something; None when it is held already."""
        if what in self.held:
            yield None
            return
        self.held.add(what)
        try:
            yield MemoryRight(self.held, what)
        finally:
            self.held.discard(what)


class MemoryRight:
    """A name in a set; taking it out is losing the right.

    Parameters
    ----------
    held : set of str
        What is held.
    what : str
        The name.
    """

    def __init__(self, held: set[str], what: str) -> None:
        self._held = held
        self._what = what

    def confirm(self) -> None:
        """Make sure that the name is still there."""
        if self._what not in self._held:
            raise Unavailable(
                f"the right to change {self._what} was lost",
                code="right-lost",
                next_step="nothing was done; the next look tries again",
            )


def _summary(rse: str, rows: Sequence[CopyEvidence]) -> AuditSummary:
    def count(outcome: CopyOutcome) -> int:
        return sum(one.outcome is outcome for one in rows)

    times = [one.verified_at for one in rows if one.verified_at is not None]
    return AuditSummary(
        rse=rse,
        copies=len(rows),
        unverified=len(rows) - len(times),
        oldest_at=min(times) if len(times) == len(rows) else None,
        intact=count(CopyOutcome.INTACT),
        damaged=count(CopyOutcome.DAMAGED),
        lost=count(CopyOutcome.LOST),
        unreadable=count(CopyOutcome.UNREADABLE),
        oldest_read_at=min(times, default=None),
    )


class MemoryDatasetStates:
    """States in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[str, DatasetState] = {}
        self._cursors: dict[str, datetime] = {}

    def note_seen(self, names: Iterable[str], digest: str, at: datetime, *, due: bool) -> None:
        """Enter datasets that are new; with ``due``, have the known ones looked at now, too."""
        for name in names:
            if name not in self._rows:
                self._rows[name] = DatasetState(
                    name=name,
                    digest=digest,
                    settled=False,
                    reason="it is new",
                    first_seen_at=at,
                    looked_at=None,
                    due_at=at,
                )
            elif due:
                self._rows[name] = replace(self._rows[name], due_at=at)

    def due(self, digest: str, at: datetime, limit: int) -> list[DatasetState]:
        """Return datasets to look at: due ones, and those last compared with another policy."""
        found = [one for one in self._rows.values() if one.due_at <= at or one.digest != digest]
        return sorted(found, key=lambda one: (one.due_at > at, one.due_at, one.name))[:limit]

    def forget(self, name: str) -> None:
        """Forget a dataset that is no more; unknown is no error."""
        self._rows.pop(name, None)

    def first_seen(self, names: Sequence[str]) -> Mapping[str, datetime]:
        """Return since when datasets have been known, by name; unknown ones are left out."""
        return {name: self._rows[name].first_seen_at for name in names if name in self._rows}

    def note_look(self, name: str, digest: str, reason: str, at: datetime, due_at: datetime) -> None:
        """Note a look at a dataset; an empty reason means that nothing is left to do."""
        known = self._rows.get(name)
        self._rows[name] = DatasetState(
            name=name,
            digest=digest,
            settled=not reason,
            reason=reason,
            first_seen_at=known.first_seen_at if known else at,
            looked_at=at,
            due_at=known.due_at if known and known.due_at > at else due_at,
        )

    def counts(self) -> tuple[int, int]:
        """Return the numbers of settled and of unsettled datasets."""
        done = sum(one.settled for one in self._rows.values())
        return done, len(self._rows) - done

    def cursor(self, name: str) -> datetime | None:
        """Return how far a recurring listing has come."""
        return self._cursors.get(name)

    def set_cursor(self, name: str, at: datetime) -> None:
        """Note how far a recurring listing has come."""
        self._cursors[name] = at


class MemoryFindings:
    """Alarms, events and dark files in lists."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}
        self._raised = 0
        self._events: list[AuditEvent] = []
        self._dark: dict[str, DarkFile] = {}

    def raise_alarm(self, lfn: str, reason: str, at: datetime) -> bool:
        """Let an alarm stand for a file; tell whether it is a new one."""
        if lfn in self._alarms:
            return False
        self._raised += 1
        self._alarms[lfn] = Alarm(number=self._raised, lfn=lfn, reason=reason, raised_at=at)
        return True

    def end_alarm(self, lfn: str, at: datetime) -> bool:
        """End the alarm of a file that is good again; tell whether one stood."""
        return self._alarms.pop(lfn, None) is not None

    def acknowledge(self, number: int, who: str, reason: str, at: datetime) -> bool:
        """Note who answers for an alarm, and why; tell whether it stands."""
        for lfn, alarm in self._alarms.items():
            if alarm.number == number:
                self._alarms[lfn] = replace(alarm, acknowledged_by=who, acknowledgement=reason)
                return True
        return False

    def alarms(self) -> list[Alarm]:
        """Return the alarms that stand, the oldest first."""
        return sorted(self._alarms.values(), key=lambda one: (one.raised_at, one.number))

    def note(self, event: AuditEvent) -> None:
        """Remember an event."""
        self._events.append(event)

    def events(self, limit: int) -> list[AuditEvent]:
        """Return the latest events, the newest first."""
        return self._events[::-1][:limit]

    def forget_events(self, before: datetime) -> int:
        """Forget events before a time but those of files whose alarm stands; return their number."""
        kept = [one for one in self._events if one.at >= before or one.name in self._alarms]
        forgotten = len(self._events) - len(kept)
        self._events = kept
        return forgotten

    def see_dark(self, rse: str, urls: Mapping[str, bool], at: datetime) -> None:
        """Note unknown files seen at a storage, by URL, and whether each is a temporary one."""
        for url, temporary in urls.items():
            known = self._dark.get(url)
            first = known.first_seen_at if known else at
            self._dark[url] = DarkFile(
                url=url, rse=rse, temporary=temporary, first_seen_at=first, last_seen_at=at
            )

    def forget_dark(self, rse: str, before: datetime) -> None:
        """Forget files of a storage that were last seen before a time."""
        for url in [one.url for one in self._dark.values() if one.rse == rse and one.last_seen_at < before]:
            del self._dark[url]

    def drop_dark(self, urls: Sequence[str]) -> None:
        """Forget files."""
        for url in urls:
            self._dark.pop(url, None)

    def dark(
        self,
        seen_before: datetime,
        *,
        rse: str | None = None,
        temporary: bool | None = None,
        urls: Sequence[str] | None = None,
        after: tuple[str, str] | None = None,
    ) -> Iterator[DarkFile]:
        """Yield files that were seen first before a time, by storage and URL."""
        found = [
            one
            for one in self._dark.values()
            if one.first_seen_at <= seen_before
            and rse in (None, one.rse)
            and temporary in (None, one.temporary)
            and (urls is None or one.url in urls)
            and (after is None or (one.rse, one.url) > after)
        ]
        yield from sorted(found, key=lambda one: (one.rse, one.url))

    def count_dark(self, seen_before: datetime, rse: str) -> int:
        """Return the number of files of a storage that were seen first before a time."""
        return sum(1 for _ in self.dark(seen_before, rse=rse))
