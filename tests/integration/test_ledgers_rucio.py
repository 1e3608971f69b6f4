"""Sites, requests and reports of damage on a real Rucio server; its database is looked at directly."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from dpps.adapters.rucio.requests import RucioRequestLedger
from dpps.adapters.rucio.sites import RucioSiteRegister
from dpps.adapters.rucio.suspicions import RucioDamageReports
from dpps.composition.rucio_accounts import connect_account
from dpps.data.retrieval.reports import DamagedCopy
from dpps.data.sites import Availability
from dpps.data.why.observations import RequestState
from dpps.domain.names import Lfn
from dpps.testing.damage_reports_contract import DamageReportsContract
from dpps.testing.request_ledger_contract import RequestLedgerContract
from dpps.testing.site_register_contract import SiteRegisterContract

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 120
_STATES = {
    RequestState.WAITING: "U",  # suspended: no daemon takes it up
    RequestState.DONE: "D",
    RequestState.FAILED: "F",
    RequestState.NO_SOURCES: "N",
}


class _Database:
    """Rucio's tables, and an account that may do everything."""

    def __init__(self, connection: psycopg.Connection[Any], admin: Any) -> None:
        self._connection = connection
        self._admin = admin

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    def execute(self, query: LiteralString, *values: object) -> None:
        self._connection.execute(query, values)

    def register_file(self, rse: str) -> Lfn:
        lfn = Lfn(f"/ctao/acada/DL0/test-{uuid.uuid4().hex}/file.dat")
        file = {"scope": "acada", "name": lfn.name, "bytes": 3, "adler32": "00000001"}
        self._admin.add_replicas(rse, [file])
        return lfn


@pytest.fixture
def database(running_system: RunningSystem) -> Iterator[_Database]:
    url = running_system.instance.database(running_system.folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield _Database(connection, connect_account(running_system.folder, "root"))


class _Sites:
    rse = "CTAO-SOUTH"
    other = "FRASCATI"

    def __init__(self, database: _Database, client: Any) -> None:
        self._database = database
        self._client = client
        self._distance = self.distance(self.rse, self.other)

    def names(self) -> list[str]:
        return [name for (name,) in self._database.rows("SELECT rse FROM rses WHERE NOT deleted")]

    def availability(self, rse: str) -> Availability:
        ((read, write, delete),) = self._database.rows(
            "SELECT availability_read, availability_write, availability_delete FROM rses WHERE rse = %s", rse
        )
        return Availability(read=read, write=write, delete=delete)

    def distance(self, source: str, destination: str) -> int | None:
        ((distance,),) = self._database.rows(
            "SELECT distance FROM distances WHERE src_rse_id = (SELECT id FROM rses WHERE rse = %s)"
            " AND dest_rse_id = (SELECT id FROM rses WHERE rse = %s)",
            source,
            destination,
        )
        return None if distance is None else int(distance)

    def wait_at(self, rse: str) -> tuple[str, str]:
        lfn = self._database.register_file("CSCS")  # without bytes: every attempt fails
        did = {"scope": "acada", "name": lfn.parent}
        self._client.add_dataset(**did)
        self._client.attach_dids(**did, dids=[{"scope": "acada", "name": lfn.name}])
        (rule_id,) = self._client.add_replication_rule([did], 1, rse)
        return str(rule_id), lfn.parent

    def transfers(self, rule_id: str) -> set[str]:
        found = self._database.rows("SELECT id::text FROM requests WHERE rule_id = %s::uuid", rule_id)
        return {one for (one,) in found}

    def eventually(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.2)

    def put_back(self) -> None:
        self._client.update_rse(
            self.rse,
            {"availability_read": True, "availability_write": True, "availability_delete": True},
        )
        self._client.update_distance(self.rse, self.other, {"distance": self._distance})


class TestRucioSiteRegister(SiteRegisterContract):
    @pytest.fixture
    def raw(self, running_system: RunningSystem, database: _Database) -> Iterator[_Sites]:
        sites = _Sites(database, connect_account(running_system.folder, "root"))
        yield sites
        sites.put_back()

    @pytest.fixture
    def register(self, running_system: RunningSystem) -> RucioSiteRegister:
        folder = running_system.folder
        return RucioSiteRegister(
            connect_account(folder, "operator"), lambda: connect_account(folder, "preservation")
        )


class _Requests:
    rse = "PIC"
    other = "FRASCATI"

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._made: list[str] = []

    def register(self) -> Lfn:
        return self._database.register_file("CSCS")

    def put(self, lfn: Lfn, rse: str, state: RequestState, *, past: bool, error: str = "") -> str:
        rule_id, request_id = uuid.uuid4().hex, uuid.uuid4().hex
        values = (request_id, lfn.name, _STATES[state], error, rule_id, rse)
        into = _INTO_HISTORY if past else _INTO_REQUESTS
        self._database.execute(into, *values)
        self._made.append(request_id)
        return rule_id

    def put_back(self) -> None:
        for request_id in self._made:
            self._database.execute("DELETE FROM requests WHERE id = %s::uuid", request_id)
            self._database.execute("DELETE FROM requests_history WHERE id = %s::uuid", request_id)


_INTO_REQUESTS = (
    "INSERT INTO requests (id, request_type, scope, name, did_type, dest_rse_id, state, retry_count, err_msg,"
    " rule_id, activity, account, created_at, updated_at) SELECT %s::uuid, 'T', 'acada', %s, 'F', id, %s, 2,"
    " %s, %s::uuid, 'default', 'root', now(), now() FROM rses WHERE rse = %s"
)
_INTO_HISTORY = _INTO_REQUESTS.replace("INTO requests ", "INTO requests_history ")


class TestRucioRequestLedger(RequestLedgerContract):
    @pytest.fixture
    def raw(self, database: _Database) -> Iterator[_Requests]:
        requests = _Requests(database)
        yield requests
        requests.put_back()

    @pytest.fixture
    def ledger(self, running_system: RunningSystem) -> RucioRequestLedger:
        return RucioRequestLedger(connect_account(running_system.folder, "reader"))


class _Reports:
    def __init__(self, database: _Database, client: Any) -> None:
        self._database = database
        self._client = client

    def register(self) -> DamagedCopy:
        lfn = self._database.register_file("CSCS")
        (found,) = self._client.list_replicas([{"scope": "acada", "name": lfn.name}])
        (pfn,) = found["rses"]["CSCS"]
        return DamagedCopy(lfn=lfn, rse="CSCS", pfn=pfn, reason="3 bytes instead of 4")

    def reasons(self, copy: DamagedCopy) -> set[str]:
        rows = self._database.rows(
            "SELECT reason FROM bad_replicas WHERE name = %s AND state = 'S'", copy.lfn.name
        )
        return {reason for (reason,) in rows}

    def is_available(self, copy: DamagedCopy) -> bool:
        return self._database.rows("SELECT state FROM replicas WHERE name = %s", copy.lfn.name) == [("A",)]


class TestRucioDamageReports(DamageReportsContract):
    @pytest.fixture
    def raw(self, running_system: RunningSystem, database: _Database) -> _Reports:
        return _Reports(database, connect_account(running_system.folder, "root"))

    @pytest.fixture
    def reports(self, running_system: RunningSystem) -> RucioDamageReports:
        return RucioDamageReports(connect_account(running_system.folder, "preservation"))

    def test_a_suspicion_takes_no_copy_away(self, reports: RucioDamageReports, raw: _Reports) -> None:
        copy = raw.register()
        reports.suspect([copy])
        assert raw.is_available(copy), "the audit reads it and decides"
