"""Damage and changes on a real Rucio server; its database is looked at directly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dpps.adapters.rucio.changes import RucioBadCopies, RucioChanges
from dpps.composition.rucio_accounts import connect_account
from dpps.data.audit.records import CopyKey
from dpps.domain.names import Lfn
from dpps.testing.audit_ports_contract import BadCopiesContract, CatalogueChangesContract

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio


class _Catalogue:
    """An account that may do everything, and Rucio's tables."""

    def __init__(self, connection: psycopg.Connection[Any], admin: Any) -> None:
        self._connection = connection
        self._admin = admin

    def register(self) -> CopyKey:
        lfn = Lfn(f"/ctao/acada/DL0/test-{uuid.uuid4().hex}/file.dat")
        file = {"scope": "acada", "name": lfn.name, "bytes": 3, "adler32": "00000001"}
        self._admin.add_replicas("CSCS", [file])
        return CopyKey(lfn, "CSCS")

    def is_bad(self, copy: CopyKey) -> bool:
        rows = self._connection.execute(
            "SELECT b.state FROM bad_replicas b JOIN rses ON rses.id = b.rse_id"
            " WHERE b.name = %s AND rses.rse = %s",
            [copy.lfn.name, copy.rse],
        ).fetchall()
        # The daemon that replaces it may have given it up already: there is no other copy.
        return any(state != "S" for (state,) in rows)

    def change(self) -> tuple[str, datetime]:
        before = datetime.now(UTC)
        lfn = self.register().lfn
        dataset = {"scope": "acada", "name": lfn.parent}
        self._admin.add_dataset(**dataset)
        self._admin.attach_dids(**dataset, dids=[{"scope": "acada", "name": lfn.name}])
        self._admin.add_replication_rule([dataset], 1, "CSCS")
        return lfn.parent, before


@pytest.fixture
def raw(running_system: RunningSystem) -> Iterator[_Catalogue]:
    url = running_system.instance.database(running_system.folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield _Catalogue(connection, connect_account(running_system.folder, "root"))


class TestRucioBadCopies(BadCopiesContract):
    @pytest.fixture
    def bad_copies(self, running_system: RunningSystem) -> RucioBadCopies:
        return RucioBadCopies(connect_account(running_system.folder, "preservation"))


class TestRucioChanges(CatalogueChangesContract):
    @pytest.fixture
    def changes(self, running_system: RunningSystem) -> RucioChanges:
        return RucioChanges(connect_account(running_system.folder, "preservation"))
