"""The work store on PostgreSQL keeps the contract, on the schema that the migrations make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect

from dpps.adapters.sql import work_tables
from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.work_store import SqlWorkStore
from dpps.domain.errors import Unavailable
from dpps.testing.postgresql import PostgresqlCluster, fresh_database, postgresql_cluster
from dpps.testing.work_store_contract import WorkStoreContract

__all__ = ["fresh_database", "postgresql_cluster"]

pytestmark = pytest.mark.postgresql


class TestSqlWorkStore(WorkStoreContract):
    @pytest.fixture
    def store(self, fresh_database: str) -> Iterator[SqlWorkStore]:
        migrate(fresh_database)
        engine = build_engine(fresh_database)
        yield SqlWorkStore(engine)
        engine.dispose()


def test_the_migration_makes_the_tables_that_the_store_uses(fresh_database: str) -> None:
    migrate(fresh_database)
    engine = build_engine(fresh_database)
    found = inspect(engine)
    for table in work_tables.metadata.sorted_tables:
        columns = {column["name"]: column for column in found.get_columns(table.name, schema=table.schema)}
        assert set(columns) == {column.name for column in table.columns}
        assert {name for name, column in columns.items() if column["nullable"]} == {
            column.name for column in table.columns if column.nullable
        }
        indexes = {index["name"] for index in found.get_indexes(table.name, schema=table.schema)}
        assert {index.name for index in table.indexes} <= indexes
    engine.dispose()


def test_a_database_that_is_away_is_unavailable(
    postgresql_cluster: PostgresqlCluster, fresh_database: str
) -> None:
    migrate(fresh_database)
    engine = build_engine(fresh_database)
    store = SqlWorkStore(engine)
    postgresql_cluster.stop()
    try:
        with pytest.raises(Unavailable):
            store.productions()
    finally:
        postgresql_cluster.start()
    assert store.productions() == []
    engine.dispose()
