"""Temporary files on a real Rucio server; its database is looked at directly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dpps.adapters.rucio.temporary import RucioTemporaryKeeper
from dpps.composition.rucio_accounts import connect_account
from dpps.domain.names import Lfn
from dpps.testing.temporary_contract import TemporaryContract

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio


class _Database:
    rse = "CSCS"

    def __init__(self, connection: psycopg.Connection[Any], client: Any) -> None:
        self._connection = connection
        self._client = client

    def register(self, count: int) -> list[Lfn]:
        lfns = [Lfn(f"/ctao/tmp/contract/{uuid.uuid4().hex}") for _ in range(count)]
        files = [{"scope": "tmp", "name": one.name, "bytes": 3, "adler32": "00000001"} for one in lfns]
        self._client.add_replicas(self.rse, files)
        return lfns

    def expiry(self, lfn: Lfn) -> datetime | None:
        rows = self._connection.execute(
            "SELECT expires_at FROM rules WHERE scope = 'tmp' AND name = %s", [lfn.name]
        ).fetchall()
        return rows[0][0].replace(tzinfo=UTC) if rows else None


@pytest.fixture(scope="module")
def client(running_system: RunningSystem) -> Any:
    return connect_account(running_system.folder, "production")


@pytest.fixture
def raw(running_system: RunningSystem, client: Any) -> Iterator[_Database]:
    url = running_system.instance.database(running_system.folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield _Database(connection, client)


@pytest.fixture
def keeper(client: Any) -> RucioTemporaryKeeper:
    return RucioTemporaryKeeper(client)


class TestRucioTemporary(TemporaryContract):
    pass
