"""Waiting for changes without asking again and again: PostgreSQL's LISTEN in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine, exc

from dpps.adapters.sql.work_store_changing import CHANNEL

__all__ = ["listen"]

_WAIT_SECONDS = 1.0
"""How long one wait on the connection lasts; bounds the time that ending takes."""


def listen(engine: Engine, wake: Callable[[], None]) -> Callable[[], None]:
    """Call ``wake`` after each committed change, and after each loss of the connection."""
    ended = threading.Event()
    thread = threading.Thread(
        target=_follow, args=(engine, wake, ended), name="work-store-listener", daemon=True
    )
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(_WAIT_SECONDS + 5)

    return end


def _follow(engine: Engine, wake: Callable[[], None], ended: threading.Event) -> None:
    import psycopg

    log = structlog.get_logger(__name__)
    while not ended.is_set():
        try:
            _receive(engine, wake, ended)
        except (psycopg.OperationalError, psycopg.InterfaceError, exc.DBAPIError) as lost:
            # Something may have changed unheard; the reader finds out by looking.
            log.warning("connection for notifications lost", error=str(lost))
            wake()
            ended.wait(1.0)


def _receive(engine: Engine, wake: Callable[[], None], ended: threading.Event) -> None:
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        # A connection that listens must not go back to the pool.
        connection.detach()
        raw.autocommit = True
        raw.execute(f"LISTEN {CHANNEL}")
        wake()
        while not ended.is_set():
            for _ in raw.notifies(timeout=_WAIT_SECONDS, stop_after=1):
                wake()
