"""A worker's life, proved by a lock that PostgreSQL drops when the worker's connection ends."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Engine, TextClause, text

from dpps.adapters.sql import transfer_tables as tables
from dpps.adapters.sql.engine import database_errors
from dpps.domain.errors import Conflict, Unavailable

__all__ = ["CHANNEL", "SqlWorkerSession", "held_by_a_dead_worker"]

CHANNEL: Final = "dpps_transfers"
_LOCKS: Final = 0x78666572
"""First key of the advisory locks of workers (``xfer`` in ASCII); the second is the worker's number."""


class SqlWorkerSession:
    """One connection that holds the worker's lock and hears of changes."""

    def __init__(self, engine: Engine, number: int | None) -> None:
        with database_errors():
            if number is None:
                with engine.begin() as connection:
                    number = connection.scalar(tables.worker_number)
            # Out of the pool: the lock must live as long as this session, and no longer.
            self._pooled = engine.raw_connection()
            self._connection: Any = self._pooled.driver_connection
            self._pooled.detach()
        self.number = int(number or 0)
        if not self._begin():
            self.close()
            raise Conflict(
                f"worker {self.number} is alive in another process",
                code="worker-alive",
                next_step="enrol under a new number",
                worker=self.number,
            )

    def wait(self, seconds: float) -> None:
        """Return when the queue has changed, or after a time."""
        import psycopg

        try:
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                return
        except (psycopg.OperationalError, psycopg.InterfaceError) as lost:
            raise Unavailable(
                f"the connection to the database was lost: {str(lost).strip()}",
                code="database-unavailable",
                next_step="look at the service postgres: dpps status",
            ) from lost

    def close(self) -> None:
        """End the session; its lock goes with the connection."""
        self._pooled.close()

    def _begin(self) -> bool:
        self._connection.autocommit = True
        self._connection.execute(f"LISTEN {CHANNEL}")
        locked = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, self.number))
        return bool(locked.fetchone()[0])


def held_by_a_dead_worker() -> TextClause:
    """Return the condition that no living session holds the lock of a file's worker."""
    return text(
        "worker NOT IN (SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND objsubid = 2 AND classid = :locks"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    ).bindparams(locks=_LOCKS)
