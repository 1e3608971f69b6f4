"""How far each dataset is on its way to the policy, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Final

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.preservation_tables import cursor
from dpps.adapters.sql.preservation_tables import dataset as table
from dpps.data.audit.records import DatasetState

__all__ = ["SqlDatasetStates"]

_CHUNK: Final = 1000


class SqlDatasetStates:
    """One row a dataset.

    Parameters
    ----------
    engine : Engine
        The database ``dpps``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_seen(self, names: Iterable[str], digest: str, at: datetime, *, due: bool) -> None:
        """Enter datasets that are new; with ``due``, have the known ones looked at now, too."""
        for chunk in batched(dict.fromkeys(names), _CHUNK):
            rows = [
                {"name": name, "digest": digest, "settled": False, "reason": "it is new"}
                | {"first_seen_at": at, "due_at": at}
                for name in sorted(chunk)
            ]
            new = insert(table).values(rows)
            with database_errors(), self._engine.begin() as connection:
                if due:
                    connection.execute(
                        new.on_conflict_do_update(index_elements=["name"], set_={"due_at": at})
                    )
                else:
                    connection.execute(new.on_conflict_do_nothing())

    def due(self, digest: str, at: datetime, limit: int) -> list[DatasetState]:
        """Return datasets to look at: due ones, and those last compared with another policy."""
        by_time = select(table).where(table.c.due_at <= at).order_by(table.c.due_at, table.c.name)
        by_policy = select(table).where(table.c.digest != digest).order_by(table.c.due_at, table.c.name)
        found: dict[str, DatasetState] = {}
        with database_errors(), self._engine.connect() as connection:
            for query in (by_time, by_policy):
                for row in connection.execute(query.limit(limit)).mappings():
                    found.setdefault(row["name"], DatasetState(**row))
        return list(found.values())[:limit]

    def forget(self, name: str) -> None:
        """Forget a dataset that is no more; unknown is no error."""
        with database_errors(), self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.name == name))

    def first_seen(self, names: Sequence[str]) -> Mapping[str, datetime]:
        """Return since when datasets have been known, by name; unknown ones are left out."""
        found: dict[str, datetime] = {}
        for chunk in batched(names, _CHUNK):
            query = select(table.c.name, table.c.first_seen_at).where(table.c.name.in_(chunk))
            with database_errors(), self._engine.connect() as connection:
                found |= {name: at for name, at in connection.execute(query)}
        return found

    def note_look(self, name: str, digest: str, reason: str, at: datetime, due_at: datetime) -> None:
        """Note a look at a dataset; an empty reason means that nothing is left to do."""
        values = {
            "digest": digest,
            "settled": not reason,
            "reason": reason,
            "looked_at": at,
            "due_at": due_at,
        }
        new = insert(table).values(name=name, first_seen_at=at, **values)
        with database_errors(), self._engine.begin() as connection:
            # One that was reported as changed while we looked stays due.
            changed = connection.execute(
                update(table).where(table.c.name == name, table.c.due_at <= at).values(**values)
            )
            if not changed.rowcount:
                kept = {key: value for key, value in values.items() if key != "due_at"}
                connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=kept))

    def counts(self) -> tuple[int, int]:
        """Return the numbers of settled and of unsettled datasets."""
        settled = func.count().filter(table.c.settled)
        with database_errors(), self._engine.connect() as connection:
            done, all_of_them = connection.execute(select(settled, func.count()).select_from(table)).one()
        return done, all_of_them - done

    def cursor(self, name: str) -> datetime | None:
        """Return how far a recurring listing has come."""
        with database_errors(), self._engine.connect() as connection:
            return connection.scalar(select(cursor.c.at).where(cursor.c.name == name))

    def set_cursor(self, name: str, at: datetime) -> None:
        """Note how far a recurring listing has come."""
        new = insert(cursor).values(name=name, at=at)
        with database_errors(), self._engine.begin() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"at": at}))
