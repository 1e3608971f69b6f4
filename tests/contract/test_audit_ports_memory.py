"""Damage and changes of a catalogue in memory keep their contracts."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.changes import MemoryBadCopies, MemoryChanges
from dpps.data.audit.records import CopyKey
from dpps.domain.files import ReplicaState
from dpps.testing.audit_ports_contract import BadCopiesContract, CatalogueChangesContract
from dpps.testing.catalogue_case import CatalogueCase
from dpps.testing.storages import storage_element


class _Damage:
    def __init__(self, catalogue: MemoryCatalogue) -> None:
        self._catalogue = catalogue

    def register(self) -> CopyKey:
        file = CatalogueCase.file("/ctao/acada/test", f"{uuid.uuid4().hex}.dat", rse="CSCS")
        assert [one.error for one in self._catalogue.register([file])] == [None]
        return CopyKey(file.lfn, file.rse)

    def is_bad(self, copy: CopyKey) -> bool:
        return [one.state for one in self._catalogue._files[copy.lfn].replicas] == [ReplicaState.BAD]


class TestMemoryBadCopies(BadCopiesContract):
    @pytest.fixture
    def catalogue(self) -> MemoryCatalogue:
        return MemoryCatalogue([storage_element("CSCS", "memory://cscs")])

    @pytest.fixture
    def raw(self, catalogue: MemoryCatalogue) -> _Damage:
        return _Damage(catalogue)

    @pytest.fixture
    def bad_copies(self, catalogue: MemoryCatalogue) -> MemoryBadCopies:
        return MemoryBadCopies(catalogue)


class _Changes:
    def __init__(self, changes: MemoryChanges) -> None:
        self._changes = changes
        self._now = datetime(2026, 2, 14, tzinfo=UTC)

    def change(self) -> tuple[str, datetime]:
        before = self._now
        self._now += timedelta(seconds=1)
        name = f"/ctao/acada/test/{uuid.uuid4().hex}"
        self._changes.changed_at[name] = self._now
        return name, before


class TestMemoryChanges(CatalogueChangesContract):
    @pytest.fixture
    def changes(self) -> MemoryChanges:
        return MemoryChanges()

    @pytest.fixture
    def raw(self, changes: MemoryChanges) -> _Changes:
        return _Changes(changes)
