"""Named datasets on PostgreSQL keep the contract, on the schema that the migrations make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect

from dpps.adapters.sql import dataset_tables
from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.named_datasets import SqlNamedDatasets
from dpps.testing.named_datasets_contract import NamedDatasetsContract
from dpps.testing.postgresql import fresh_database, postgresql_cluster

__all__ = ["fresh_database", "postgresql_cluster"]

pytestmark = pytest.mark.postgresql


class TestSqlNamedDatasets(NamedDatasetsContract):
    @pytest.fixture
    def datasets(self, fresh_database: str) -> Iterator[SqlNamedDatasets]:
        migrate(fresh_database)
        engine = build_engine(fresh_database)
        yield SqlNamedDatasets(engine)
        engine.dispose()


def test_the_migration_makes_the_tables_that_are_used(fresh_database: str) -> None:
    migrate(fresh_database)
    engine = build_engine(fresh_database)
    for table in dataset_tables.metadata.sorted_tables:
        columns = {one["name"]: one for one in inspect(engine).get_columns(table.name, schema=table.schema)}
        assert {name: one["nullable"] for name, one in columns.items()} == {
            column.name: column.nullable for column in table.columns
        }
    engine.dispose()
