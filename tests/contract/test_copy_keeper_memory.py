"""Holding copies in memory keeps the contract."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from dpps.adapters.memory.releases import MemoryCopyKeeper
from dpps.domain.names import Lfn
from dpps.testing.copy_keeper_contract import CopyKeeperContract


class _Names:
    rse = "CTAO-NORTH"

    def __init__(self) -> None:
        self.locked: set[tuple[str, Lfn]] = set()

    def register(self) -> Lfn:
        return Lfn(f"/ctao/acada/DL0/{uuid.uuid4().hex}")

    def is_held(self, lfn: Lfn) -> bool:
        return (self.rse, lfn) in self.locked

    def eventually(self, condition: Callable[[], bool]) -> None:
        assert condition()


class TestMemoryCopyKeeper(CopyKeeperContract):
    @pytest.fixture
    def raw(self) -> _Names:
        return _Names()

    @pytest.fixture
    def keeper(self, raw: _Names) -> MemoryCopyKeeper:
        return MemoryCopyKeeper(raw.locked)
