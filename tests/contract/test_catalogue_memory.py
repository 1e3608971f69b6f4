from __future__ import annotations

from collections.abc import Mapping

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.copy_states import MemoryCopyStates
from dpps.domain.files import FileContent, MetadataValue, ReplicaState
from dpps.domain.names import Lfn
from dpps.testing.catalogue_contract import CatalogueContract
from dpps.testing.copy_states_contract import CopyStatesContract
from dpps.testing.storages import storage_element


class _Raw:
    onsite_rse = "CTAO-NORTH"
    offsite_rse = "CSCS"

    def __init__(self, catalogue: MemoryCatalogue) -> None:
        self._catalogue = catalogue

    def content(self, lfn: Lfn) -> FileContent | None:
        file = self._catalogue._files.get(lfn)
        return file.content if file else None

    def metadata(self, lfn: Lfn) -> Mapping[str, MetadataValue]:
        return self._catalogue._files[lfn].metadata

    def copies(self, lfn: Lfn) -> set[str]:
        return {
            one.rse for one in self._catalogue._files[lfn].replicas if one.state is ReplicaState.AVAILABLE
        }

    def members(self, dataset: str) -> set[str]:
        return {lfn.name for lfn in self._catalogue._datasets[dataset]}

    def rules(self, dataset: str) -> list[tuple[int, str]]:
        return [(rule.copies, rule.expression) for rule in self._catalogue._rules[dataset]]

    def deletable(self, rse: str, lfn: Lfn) -> bool:
        return (rse, lfn) in self._catalogue.released

    def add_copy(self, lfn: Lfn, rse: str) -> None:
        self._catalogue.set_replica(lfn, rse, ReplicaState.AVAILABLE)


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    return MemoryCatalogue(
        [
            storage_element("CTAO-NORTH", "memory://north"),
            storage_element("CSCS", "memory://cscs"),
            storage_element("PIC", "memory://pic"),
        ]
    )


@pytest.fixture
def raw(catalogue: MemoryCatalogue) -> _Raw:
    return _Raw(catalogue)


@pytest.fixture
def folder() -> str:
    return "/ctao/dpps/test"


@pytest.fixture
def copy_states(catalogue: MemoryCatalogue) -> MemoryCopyStates:
    return MemoryCopyStates(catalogue)


class TestMemoryCatalogue(CatalogueContract):
    pass


class TestMemoryCopyStates(CopyStatesContract):
    pass
