"""Indexes that make Rucio's own searches fast where a catalogue has many files.

Rucio compares metadata as ``(meta ->> key)`` or ``CAST((meta ->> key) AS FLOAT)`` and names by ``LIKE``; its
schema has an index for neither. An index on exactly these expressions is used without any change to Rucio. A
side effect is wanted: the database refuses a value that is no number under a key whose values are numbers for
all others, which would make every search for this key fail.

Runs in the ``rucio`` environment. Names begin with ``dpps_``, so that they are told from Rucio's.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dpps.domain.errors import Conflict

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["NUMBER_KEYS", "TEXT_KEYS", "ensure_indexes"]

_LOG = logging.getLogger(__name__)

NUMBER_KEYS = ("instance__obs_id", "obs_id", "acquisition__sb_id", "sb_id")
"""Keys that single few files out, compared as numbers."""
TEXT_KEYS = (
    "start_time",
    "observation__coverage__time__t_min",
    "instance__observing_night",
    "dpps__production",
    "instance__id",
)
"""Keys that single few files out, compared as texts."""
_SEARCHED_LIST = "dpps__inputs"
_BYTE_ORDER = ("C", "POSIX", "C.UTF-8", "C.utf8")


def ensure_indexes(engine: Engine) -> None:
    """Make the indexes that are not there; can be called any number of times.

    An index that existing data do not allow is left out, with a warning: searches are then right, but slow.

    Raises
    ------
    Conflict
        When the database does not order texts by their bytes, on which paging relies.
    """
    with engine.connect() as connection:
        _require_byte_order(connection)
    for name, table, columns in _wanted():
        _ensure(engine, name, table, columns)
    _ensure_searched_list(engine)


def _wanted() -> list[tuple[str, str, str]]:
    def value(key: str) -> str:
        return f"(meta ->> '{key}')"

    return [
        ("dpps_dids_name", "dids", "scope, name varchar_pattern_ops"),
        ("dpps_did_meta_name", "did_meta", "scope, name varchar_pattern_ops"),
        *((f"dpps_number_{key}"[:63], "did_meta", f"(CAST({value(key)} AS FLOAT))") for key in NUMBER_KEYS),
        *((f"dpps_text_{key}"[:63], "did_meta", f"({value(key)})") for key in TEXT_KEYS),
    ]


def _ensure(engine: Engine, name: str, table: str, columns: str, *, method: str = "btree") -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError, OperationalError

    statement = f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING {method} ({columns})"
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except OperationalError:
        raise  # the database itself: nothing to do with this index
    except DBAPIError as refused:
        _LOG.warning("the catalogue works without the index %s: %s", name, refused.orig)


def _ensure_searched_list(engine: Engine) -> None:
    """Let ``LIKE`` find a file in lists of inputs, where the database has the extension for it."""
    from sqlalchemy import text

    with engine.begin() as connection:
        available = text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")
        installed = text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        if connection.execute(available).first() is None:
            _LOG.info("without the extension pg_trgm, who used a file is found by reading all metadata")
            return
        if connection.execute(installed).first() is None:
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    columns = f"(meta ->> '{_SEARCHED_LIST}') gin_trgm_ops"
    _ensure(engine, f"dpps_list_{_SEARCHED_LIST}", "did_meta", columns, method="gin")


def _require_byte_order(connection: Connection) -> None:
    from sqlalchemy import text

    found = connection.execute(
        text("SELECT datcollate, datname FROM pg_database WHERE datname = current_database()")
    ).one()
    if found.datcollate not in _BYTE_ORDER:
        raise Conflict(
            f"the database {found.datname!r} orders texts as {found.datcollate}, not by their bytes",
            code="database-collation",
            next_step="make it anew with: CREATE DATABASE … LOCALE 'C.UTF-8' TEMPLATE template0",
            database=found.datname,
        )
