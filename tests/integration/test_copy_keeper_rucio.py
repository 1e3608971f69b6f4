"""Holding copies on a real Rucio server; its database is looked at directly."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dpps.adapters.rucio.copy_keeper import RucioCopyKeeper
from dpps.composition.rucio_accounts import connect_account
from dpps.domain.names import Lfn
from dpps.testing.copy_keeper_contract import CopyKeeperContract

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 120


class _Database:
    rse = "CTAO-NORTH"

    def __init__(self, connection: psycopg.Connection[Any], client: Any) -> None:
        self._connection = connection
        self._client = client

    def register(self) -> Lfn:
        lfn = Lfn(f"/ctao/acada/DL0/test-{uuid.uuid4().hex}/held.dat")
        file = {"scope": "acada", "name": lfn.name, "bytes": 3, "adler32": "00000001"}
        self._client.add_replicas(self.rse, [file])
        return lfn

    def is_held(self, lfn: Lfn) -> bool:
        (row,) = self._connection.execute(
            "SELECT lock_cnt FROM replicas WHERE scope = 'acada' AND name = %s", [lfn.name]
        ).fetchall()
        return bool(row[0])

    def eventually(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.2)


class TestRucioCopyKeeper(CopyKeeperContract):
    @pytest.fixture
    def raw(self, running_system: RunningSystem) -> Iterator[_Database]:
        url = running_system.instance.database(running_system.folder, "rucio").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            yield _Database(connection, connect_account(running_system.folder, "root"))

    @pytest.fixture
    def keeper(self, running_system: RunningSystem) -> RucioCopyKeeper:
        return RucioCopyKeeper(connect_account(running_system.folder, "preservation"))

    def test_a_refusal_of_one_file_leaves_the_others_held(
        self, keeper: RucioCopyKeeper, raw: _Database
    ) -> None:
        lfn, unknown = raw.register(), Lfn(f"/ctao/acada/DL0/test-{uuid.uuid4().hex}/none.dat")
        refused = keeper.keep(raw.rse, [unknown, lfn])
        assert set(refused) == {unknown}
        assert str(unknown) in refused[unknown]
        assert raw.is_held(lfn)
