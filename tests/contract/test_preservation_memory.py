"""Evidence, states and findings in memory keep the contract."""

from __future__ import annotations

import pytest

from dpps.adapters.memory.preservation import MemoryDatasetStates, MemoryEvidence, MemoryFindings
from dpps.adapters.memory.releases import MemoryReleases
from dpps.domain.errors import Unavailable
from dpps.testing.preservation_contract import (
    DatasetStatesContract,
    EvidenceContract,
    FindingsContract,
    ReleasesContract,
)


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


class TestMemoryReleases(ReleasesContract):
    @pytest.fixture
    def releases(self) -> MemoryReleases:
        return MemoryReleases()


def test_a_right_that_was_lost_is_not_confirmed() -> None:
    evidence = MemoryEvidence()
    with evidence.exclusive("a") as right:
        assert right is not None
        evidence.held.clear()
        with pytest.raises(Unavailable):
            right.confirm()
