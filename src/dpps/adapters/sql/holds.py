"""What operators hold back, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from dpps.adapters.sql.engine import database_errors
from dpps.adapters.sql.transfer_tables import hold as table
from dpps.data.sites import Hold, HoldKind

__all__ = ["SqlHoldStore"]

_KEY = ("kind", "source", "destination")


class SqlHoldStore:
    """Implements ``HoldStore``.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of a migrated database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def holds(self) -> list[Hold]:
        """Return all, by kind, source and destination."""
        query = select(table).order_by(*(table.c[name] for name in _KEY))
        with database_errors(), self._engine.begin() as connection:
            return [
                Hold(
                    kind=HoldKind(row.kind),
                    source=row.source,
                    destination=row.destination,
                    reason=row.reason,
                    held_by=row.held_by,
                    held_at=row.held_at,
                    remembered=row.remembered,
                )
                for row in connection.execute(query)
            ]

    def put(self, hold: Hold) -> None:
        """Remember one, in place of an earlier one of the same kind and ends."""
        values: dict[str, Any] = {
            "kind": hold.kind.value,
            "source": hold.source,
            "destination": hold.destination,
            "reason": hold.reason,
            "held_by": hold.held_by,
            "held_at": hold.held_at,
            "remembered": dict(hold.remembered),
        }
        with database_errors(), self._engine.begin() as connection:
            merge = insert(table).values(values)
            connection.execute(merge.on_conflict_do_update(index_elements=_KEY, set_=values))

    def remove(self, hold: Hold) -> None:
        """Forget one; absent is no error."""
        with database_errors(), self._engine.begin() as connection:
            connection.execute(delete(table).where(*_same(hold)))


def _same(hold: Hold) -> list[ColumnElement[bool]]:
    return [
        table.c.kind == hold.kind.value,
        table.c.source == hold.source,
        table.c.destination == hold.destination,
    ]
