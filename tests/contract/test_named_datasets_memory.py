from __future__ import annotations

import pytest

from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.testing.named_datasets_contract import NamedDatasetsContract


class TestMemoryNamedDatasets(NamedDatasetsContract):
    @pytest.fixture
    def datasets(self) -> MemoryNamedDatasets:
        return MemoryNamedDatasets()
