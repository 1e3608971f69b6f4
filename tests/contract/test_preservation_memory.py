"""Evidence, states and findings in memory keep the contract."""

from __future__ import annotations

import pytest

from dpps.adapters.memory.preservation import MemoryDatasetStates, MemoryEvidence, MemoryFindings
from dpps.testing.preservation_contract import DatasetStatesContract, EvidenceContract, FindingsContract


class TestMemoryEvidence(EvidenceContract):
    @pytest.fixture
    def evidence(self) -> MemoryEvidence:
        return MemoryEvidence()


class TestMemoryDatasetStates(DatasetStatesContract):
    @pytest.fixture
    def states(self) -> MemoryDatasetStates:
        return MemoryDatasetStates()


class TestMemoryFindings(FindingsContract):
    @pytest.fixture
    def findings(self) -> MemoryFindings:
        return MemoryFindings()
