"""What the readings of copies showed, in PostgreSQL."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import batched
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, Select, delete, exc, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.preservation_tables import evidence as table
from dpps.data.audit.records import (
    WRONG_OUTCOMES,
    AuditSummary,
    CopyEvidence,
    CopyKey,
    CopyOutcome,
)
from dpps.domain.errors import Unavailable
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["SqlEvidence", "SqlRight"]

_CHUNK: Final = 1000
_LOCKS: Final = 0x6B656570
"""First key of the advisory locks (``keep`` in ASCII); the second is a hash of what is held."""


_NOT_RELEASED: Final = table.c.released_at.is_(None)
"""Copies that a storage was told to delete prove nothing by being gone."""


class SqlEvidence:
    """One row a copy.

    Parameters
    ----------
    engine : Engine
        The database ``dpps``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take_stock(self, dataset: str, copies: Collection[CopyKey]) -> None:
        """Note which copies a dataset's files have now; those of it that are not named are forgotten."""
        rows = [
            {"lfn": one.lfn.name, "rse": one.rse, "dataset": dataset, "outcome": "unverified", "problem": ""}
            for one in sorted(copies)
        ]
        with database_errors(), self._engine.begin() as connection:
            known = connection.execute(select(table.c.lfn, table.c.rse).where(table.c.dataset == dataset))
            named = {(one.lfn.name, one.rse) for one in copies}
            gone = [(lfn, rse) for lfn, rse in known if (lfn, rse) not in named]
            _delete(connection, gone)
            for chunk in batched(rows, _CHUNK):
                new = insert(table).values(list(chunk))
                moved = {"dataset": new.excluded.dataset}
                connection.execute(
                    new.on_conflict_do_update(
                        index_elements=["lfn", "rse"],
                        set_=moved,
                        where=table.c.dataset != new.excluded.dataset,
                    )
                )

    def forget(self, copies: Sequence[CopyKey]) -> None:
        """Forget copies that are no more."""
        with database_errors(), self._engine.begin() as connection:
            _delete(connection, [(one.lfn.name, one.rse) for one in copies])

    def record(self, evidence: Sequence[CopyEvidence]) -> None:
        """Note readings, of copies known or new."""
        rows = [_row(one) for one in sorted(evidence, key=lambda one: one.key)]
        with database_errors(), self._engine.begin() as connection:
            for chunk in batched(rows, _CHUNK):
                new = insert(table).values(list(chunk))
                changed = {name: new.excluded[name] for name in _READING}
                connection.execute(new.on_conflict_do_update(index_elements=["lfn", "rse"], set_=changed))

    def known(self, lfns: Sequence[Lfn]) -> Mapping[CopyKey, CopyEvidence]:
        """Return what is known of the copies of files."""
        found: dict[CopyKey, CopyEvidence] = {}
        for chunk in batched(lfns, _CHUNK):
            query = select(table).where(table.c.lfn.in_([lfn.name for lfn in chunk]))
            with database_errors(), self._engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
            found |= {one.key: one for one in map(_evidence, rows)}
        return found

    def oldest(self, rse: str, before: datetime, limit: int) -> list[CopyKey]:
        """Return copies whose last reading is before a time: never read ones first, then the oldest."""
        due = table.c.verified_at.is_(None) | (table.c.verified_at < before)
        query = select(table.c.lfn, table.c.rse).where(table.c.rse == rse, due, _NOT_RELEASED)
        return self._keys(query.order_by(table.c.verified_at.nulls_first(), table.c.lfn).limit(limit))

    def wrong(self, rse: str, before: datetime, limit: int) -> list[CopyKey]:
        """Return copies that were damaged, lost or unreadable when last read, before a time."""
        wrong = table.c.outcome.in_([one.value for one in WRONG_OUTCOMES])
        query = select(table.c.lfn, table.c.rse).where(table.c.rse == rse, wrong, _NOT_RELEASED)
        query = query.where(table.c.verified_at < before)
        return self._keys(query.order_by(table.c.verified_at, table.c.lfn).limit(limit))

    def _keys(self, query: Select[Any]) -> list[CopyKey]:
        with database_errors(), self._engine.connect() as connection:
            return [CopyKey(Lfn(lfn), rse) for lfn, rse in connection.execute(query)]

    def mark_released(self, copies: Sequence[CopyKey], at: datetime | None) -> None:
        """Note that the storage may delete these copies; with None, that it may not any more."""
        for chunk in batched(copies, _CHUNK):
            keys = [(one.lfn.name, one.rse) for one in chunk]
            released = update(table).where(tuple_(table.c.lfn, table.c.rse).in_(keys))
            with database_errors(), self._engine.begin() as connection:
                connection.execute(released.values(released_at=at))

    def summaries(self) -> list[AuditSummary]:
        """Return how far the audit is, by storage."""

        def count(outcome: CopyOutcome) -> Any:
            return func.count().filter(table.c.outcome == outcome.value).label(outcome.value)

        never = func.count().filter(table.c.verified_at.is_(None))
        query = select(
            table.c.rse,
            func.count().label("copies"),
            never.label("never"),
            func.min(table.c.verified_at).label("oldest"),
            *map(count, (CopyOutcome.INTACT, *WRONG_OUTCOMES)),
        )
        with database_errors(), self._engine.connect() as connection:
            rows = connection.execute(query.group_by(table.c.rse).order_by(table.c.rse)).mappings().all()
        return [
            AuditSummary(
                rse=row["rse"],
                copies=row["copies"],
                unverified=row["never"],
                oldest_at=None if row["never"] else row["oldest"],
                intact=row["intact"],
                damaged=row["damaged"],
                lost=row["lost"],
                unreadable=row["unreadable"],
                oldest_read_at=row["oldest"],
            )
            for row in rows
        ]

    @contextmanager
    def exclusive(self, what: str) -> Iterator[SqlRight | None]:
        """Hold the right to free or give up copies of something; None when another process holds it."""
        # The lock ends with the transaction, so also with the process, and with the connection.
        with _loss(what), self._engine.begin() as connection:
            right = SqlRight(connection, what)
            yield right if right.take() else None


@contextmanager
def _loss(what: str) -> Iterator[None]:
    """Raise our error when the connection turns out to have ended, now or in an earlier statement."""
    try:
        with database_errors():
            yield
    except exc.PendingRollbackError as error:
        raise _lost(what) from error


def _lost(what: str) -> Unavailable:
    return Unavailable(
        f"the right to change {what} was lost",
        code="right-lost",
        next_step="what was not done yet is left to the next look; see the service postgres: dpps status",
        name=what,
    )


class SqlRight:
    """An advisory lock of one transaction.

    Parameters
    ----------
    connection : Connection
        In the transaction; the lock lasts as long.
    what : str
        What it is the right to. Two names with one hash wait for each other: no harm.
    """

    def __init__(self, connection: Connection, what: str) -> None:
        self._connection = connection
        self._what = what

    def take(self) -> bool:
        """Take the lock unless another transaction has it; ours may take it again."""
        lock = text("SELECT pg_try_advisory_xact_lock(:locks, :key)")
        key = zlib.crc32(self._what.encode()) - 2**31
        return bool(self._connection.scalar(lock, {"locks": _LOCKS, "key": key}))

    def confirm(self) -> None:
        """Make sure that the transaction lives: only then does its lock."""
        with _loss(self._what):
            if not self.take():
                raise _lost(self._what)


_READING: Final = ("outcome", "verified_at", "intact_since", "size_bytes", "adler32", "problem")


def _delete(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    for chunk in batched(keys, _CHUNK):
        connection.execute(delete(table).where(tuple_(table.c.lfn, table.c.rse).in_(chunk)))


def _row(one: CopyEvidence) -> dict[str, object]:
    return {
        "lfn": one.lfn.name,
        "rse": one.rse,
        "dataset": one.lfn.parent,  # of a new copy, until stock is taken of the dataset that has it
        "outcome": one.outcome.value,
        "verified_at": one.verified_at,
        "intact_since": one.intact_since,
        "size_bytes": one.content.size_bytes if one.content else None,
        "adler32": one.content.adler32 if one.content else None,
        "problem": one.problem,
    }


def _evidence(row: RowMapping) -> CopyEvidence:
    read = row["adler32"] is not None
    return CopyEvidence(
        lfn=Lfn(row["lfn"]),
        rse=row["rse"],
        outcome=CopyOutcome(row["outcome"]),
        verified_at=row["verified_at"],
        intact_since=row["intact_since"],
        content=FileContent(size_bytes=row["size_bytes"], adler32=row["adler32"]) if read else None,
        problem=row["problem"],
        released_at=row["released_at"],
    )
