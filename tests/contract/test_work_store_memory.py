"""The work store in memory keeps the contract."""

import pytest

from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.testing.work_store_contract import WorkStoreContract


class TestMemoryWorkStore(WorkStoreContract):
    @pytest.fixture
    def store(self) -> MemoryWorkStore:
        return MemoryWorkStore()
