"""Two services may migrate the same database at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import inspect, text

from dpps.adapters.sql.engine import build_engine, migrate
from dpps.domain.errors import Conflict, Unavailable
from dpps.testing.postgresql import fresh_database, postgresql_cluster

__all__ = ["fresh_database", "postgresql_cluster"]

pytestmark = pytest.mark.postgresql


def test_services_migrate_at_once(fresh_database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [fresh_database] * 4))

    engine = build_engine(fresh_database)
    assert {"job", "file", "history"} <= set(inspect(engine).get_table_names("transfers"))
    engine.dispose()


def test_a_newer_database_is_refused(fresh_database: str) -> None:
    migrate(fresh_database)
    engine = build_engine(fresh_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    engine.dispose()

    with pytest.raises(Conflict, match="from-the-future") as refused:
        migrate(fresh_database)
    assert refused.value.next_step


def test_an_absent_database_is_named() -> None:
    with pytest.raises(Unavailable, match="database"):
        migrate("postgresql+psycopg://nobody@127.0.0.1:9/none")
