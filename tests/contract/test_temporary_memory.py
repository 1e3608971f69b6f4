from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from dpps.adapters.memory.temporary import MemoryTemporaryKeeper
from dpps.domain.names import Lfn
from dpps.testing.temporary_contract import TemporaryContract


class _Raw:
    rse = "CSCS"

    def __init__(self) -> None:
        self.registered: set[Lfn] = set()
        self.keeper = MemoryTemporaryKeeper(lambda: datetime.now(UTC), self.registered.__contains__)

    def register(self, count: int) -> list[Lfn]:
        lfns = [Lfn(f"/ctao/tmp/contract/{uuid.uuid4().hex}") for _ in range(count)]
        self.registered.update(lfns)
        return lfns

    def expiry(self, lfn: Lfn) -> datetime | None:
        return self.keeper.expiries.get((lfn, self.rse))


@pytest.fixture
def raw() -> _Raw:
    return _Raw()


@pytest.fixture
def keeper(raw: _Raw) -> MemoryTemporaryKeeper:
    return raw.keeper


class TestMemoryTemporary(TemporaryContract):
    pass
