"""The in-memory storage keeps the storage contract."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dpps.adapters.memory.storage import MemoryStorage
from dpps.testing.storage_contract import StorageContract

PREFIX = "memory://test/"


@dataclass
class RawMemory:
    storage: MemoryStorage

    def put(self, name: str, data: bytes) -> str:
        self.storage.files[PREFIX + name] = data
        return PREFIX + name

    def get(self, name: str) -> bytes | None:
        return self.storage.files.get(PREFIX + name)

    def everything(self) -> set[str]:
        names = {*self.storage.files, *(url for url, _ in self.storage.copies)}
        return {name.removeprefix(PREFIX) for name in names}

    def url(self, name: str) -> str:
        return PREFIX + name


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()

    @pytest.fixture
    def raw(self, storage: MemoryStorage) -> RawMemory:
        return RawMemory(storage)
