"""The engine of threads keeps the contract."""

from collections.abc import Iterator

import pytest

from dpps.adapters.memory.engine import MemoryEngine
from dpps.testing.engine_contract import EngineContract, play


class TestMemoryEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[MemoryEngine]:
        engine = MemoryEngine(play)
        yield engine
        engine.stop()
