"""A worker's life, proved by a lock that PostgreSQL drops when the worker's connection ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, TextClause, text

from dpps.adapters.sql import transfer_tables as tables
from dpps.adapters.sql.engine import database_errors
from dpps.domain.errors import Conflict, Unavailable

if TYPE_CHECKING:
    import psycopg

__all__ = ["CHANNEL", "SqlWorkerSession", "held_by_a_dead_worker"]

CHANNEL: Final = "dpps_transfers"
_LOCKS: Final = 0x78666572
"""First key of the advisory locks of workers (``xfer`` in ASCII); the second is the worker's number."""


class SqlWorkerSession:
    """One connection that holds the worker's lock and hears of changes.

    It does not come from the pool: the lock must live as long as this session, and no longer.
    """

    def __init__(self, engine: Engine, number: int | None) -> None:
        if number is None:
            with database_errors(), engine.begin() as connection:
                number = int(connection.scalar(tables.worker_number) or 0)
        self.number = number
        with _connection_errors():
            self._connection = _connect(engine)
            locked = self._begin()
        if not locked:
            self.close()
            raise Conflict(
                f"worker {self.number} is alive in another process",
                code="worker-alive",
                next_step="enrol under a new number",
                worker=self.number,
            )

    def wait(self, seconds: float) -> bool:
        """Return True as soon as the queue has changed, False when the time is over."""
        with _connection_errors():
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        """End the session; its lock goes with the connection."""
        self._connection.close()

    def _begin(self) -> bool:
        self._connection.execute(f"LISTEN {CHANNEL}".encode())
        row = self._connection.execute(
            "SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, self.number)
        ).fetchone()
        return row is not None and bool(row[0])


def _connect(engine: Engine) -> psycopg.Connection[tuple[Any, ...]]:
    import psycopg

    arguments, options = engine.dialect.create_connect_args(engine.url)
    return psycopg.connect(*arguments, **options, autocommit=True, connect_timeout=10)


@contextmanager
def _connection_errors() -> Iterator[None]:
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as lost:
        raise Unavailable(
            f"the database does not answer: {str(lost).strip().splitlines()[0]}",
            code="database-unavailable",
            next_step="look at the service postgres: dpps status",
        ) from lost


def held_by_a_dead_worker() -> TextClause:
    """Return the condition that no living session holds the lock of a file's worker."""
    return text(
        "worker NOT IN (SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND objsubid = 2 AND classid = :locks"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    ).bindparams(locks=_LOCKS)
