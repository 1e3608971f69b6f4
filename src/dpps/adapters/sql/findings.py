"""Alarms, events and dark files, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Any, Final

from sqlalchemy import Engine, Select, collate, delete, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.preservation_tables import alarm, dark_file
from dpps.adapters.sql.preservation_tables import event as events
from dpps.data.audit.records import Alarm, AuditEvent, DarkFile

__all__ = ["SqlFindings"]

_CHUNK: Final = 1000


class SqlFindings:
    """Rows that people look at.

    Parameters
    ----------
    engine : Engine
        The database ``dpps``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def raise_alarm(self, lfn: str, reason: str, at: datetime) -> bool:
        """Let an alarm stand for a file; tell whether it is a new one."""
        new = insert(alarm).values(lfn=lfn, reason=reason, raised_at=at)
        known = new.on_conflict_do_nothing(index_elements=["lfn"], index_where=alarm.c.cleared_at.is_(None))
        with database_errors(), self._engine.begin() as connection:
            return connection.scalar(known.returning(alarm.c.id)) is not None

    def end_alarm(self, lfn: str, at: datetime) -> bool:
        """End the alarm of a file that is good again; tell whether one stood."""
        standing = update(alarm).where(alarm.c.lfn == lfn, alarm.c.cleared_at.is_(None))
        with database_errors(), self._engine.begin() as connection:
            return connection.execute(standing.values(cleared_at=at)).rowcount > 0

    def acknowledge(self, number: int, who: str, reason: str, at: datetime) -> bool:
        """Note who answers for an alarm, and why; tell whether it stands."""
        standing = update(alarm).where(alarm.c.id == number, alarm.c.cleared_at.is_(None))
        answered = standing.values(acknowledged_at=at, acknowledged_by=who, acknowledgement=reason)
        with database_errors(), self._engine.begin() as connection:
            return connection.execute(answered).rowcount > 0

    def alarms(self) -> list[Alarm]:
        """Return the alarms that stand, the oldest first."""
        query = select(alarm).where(alarm.c.cleared_at.is_(None)).order_by(alarm.c.raised_at, alarm.c.id)
        with database_errors(), self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Alarm(
                number=row["id"],
                lfn=row["lfn"],
                reason=row["reason"],
                raised_at=row["raised_at"],
                acknowledged_by=row["acknowledged_by"],
                acknowledgement=row["acknowledgement"],
            )
            for row in rows
        ]

    def note(self, event: AuditEvent) -> None:
        """Remember an event."""
        values = {"at": event.at, "kind": event.kind, "name": event.name}
        with database_errors(), self._engine.begin() as connection:
            connection.execute(insert(events).values(rse=event.rse, text=event.text, **values))

    def events(self, limit: int) -> list[AuditEvent]:
        """Return the latest events, the newest first."""
        columns = (events.c.at, events.c.kind, events.c.name, events.c.rse, events.c.text)
        with database_errors(), self._engine.connect() as connection:
            rows = connection.execute(select(*columns).order_by(events.c.id.desc()).limit(limit)).mappings()
            return [AuditEvent(**row) for row in rows]

    def forget_events(self, before: datetime) -> int:
        """Forget events before a time but those of files whose alarm stands; return their number."""
        stands = exists().where(alarm.c.lfn == events.c.name, alarm.c.cleared_at.is_(None))
        old = select(events.c.id).where(events.c.at < before, ~stands).limit(_CHUNK)
        forgotten = 0
        while True:
            with database_errors(), self._engine.begin() as connection:
                count = connection.execute(delete(events).where(events.c.id.in_(old))).rowcount
            forgotten += count
            if count < _CHUNK:
                return forgotten

    def see_dark(self, rse: str, urls: Mapping[str, bool], at: datetime) -> None:
        """Note unknown files seen at a storage, by URL, and whether each is a temporary one."""
        for chunk in batched(sorted(urls), _CHUNK):
            rows = [
                {"url": url, "rse": rse, "temporary": urls[url], "first_seen_at": at, "last_seen_at": at}
                for url in chunk
            ]
            new = insert(dark_file).values(rows)
            seen = new.on_conflict_do_update(index_elements=["url"], set_={"last_seen_at": at})
            with database_errors(), self._engine.begin() as connection:
                connection.execute(seen)

    def forget_dark(self, rse: str, before: datetime) -> None:
        """Forget files of a storage that were last seen before a time."""
        gone = delete(dark_file).where(dark_file.c.rse == rse, dark_file.c.last_seen_at < before)
        with database_errors(), self._engine.begin() as connection:
            connection.execute(gone)

    def drop_dark(self, urls: Sequence[str]) -> None:
        """Forget files."""
        for chunk in batched(urls, _CHUNK):
            with database_errors(), self._engine.begin() as connection:
                connection.execute(delete(dark_file).where(dark_file.c.url.in_(chunk)))

    def dark(
        self,
        seen_before: datetime,
        *,
        rse: str | None = None,
        temporary: bool | None = None,
        urls: Sequence[str] | None = None,
        after: tuple[str, str] | None = None,
    ) -> Iterator[DarkFile]:
        """Yield files that were seen first before a time, by storage and URL; a page is read at a time."""
        query = select(dark_file).where(dark_file.c.first_seen_at <= seen_before)
        if rse is not None:
            query = query.where(dark_file.c.rse == rse)
        if temporary is not None:
            query = query.where(dark_file.c.temporary == temporary)
        for chunk in [None] if urls is None else batched(sorted(set(urls)), _CHUNK):
            these = query if chunk is None else query.where(dark_file.c.url.in_(chunk))
            yield from self._pages(these, after)

    def _pages(self, query: Select[Any], last: tuple[str, str] | None) -> Iterator[DarkFile]:
        order = (collate(dark_file.c.rse, "C"), collate(dark_file.c.url, "C"))
        page = query.order_by(*order).limit(_CHUNK)
        while True:
            after = page if last is None else page.where(tuple_(*order) > tuple_(*last))
            with database_errors(), self._engine.connect() as connection:
                found = [DarkFile(**row) for row in connection.execute(after).mappings()]
            yield from found
            if len(found) < _CHUNK:
                return
            last = (found[-1].rse, found[-1].url)

    def count_dark(self, seen_before: datetime, rse: str) -> int:
        """Return the number of files of a storage that were seen first before a time."""
        seen = (dark_file.c.first_seen_at <= seen_before, dark_file.c.rse == rse)
        with database_errors(), self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(dark_file).where(*seen)) or 0
