"""What operators hold back is remembered, in memory and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dpps.adapters.memory.sites import MemoryHoldStore
from dpps.adapters.sql.engine import build_engine, migrate
from dpps.adapters.sql.holds import SqlHoldStore
from dpps.testing.hold_store_contract import HoldStoreContract
from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster

__all__ = ["postgresql_cluster"]

DATABASE = "contract_hold_store"


class TestMemoryHoldStore(HoldStoreContract):
    @pytest.fixture
    def store(self) -> MemoryHoldStore:
        return MemoryHoldStore()


@pytest.mark.postgresql
class TestSqlHoldStore(HoldStoreContract):
    @pytest.fixture
    def store(self, postgresql_cluster: PostgresqlCluster) -> Iterator[SqlHoldStore]:
        url = postgresql_cluster.create(DATABASE)
        migrate(url)
        engine = build_engine(url)
        yield SqlHoldStore(engine)
        engine.dispose()
        postgresql_cluster.drop(DATABASE)
