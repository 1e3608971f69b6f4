"""The catalogue contract on a real Rucio server; its database is looked at directly."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dpps.adapters.rucio.copy_states import RucioCopyStates
from dpps.adapters.rucio.errors import catalogue_errors
from dpps.composition.data import build_catalogue
from dpps.composition.rucio_accounts import connect_account
from dpps.data.ports import Catalogue, ReplicationRule
from dpps.data.query import EVERYTHING, Place
from dpps.data.why.observations import CopyStates
from dpps.domain.errors import Conflict, NotAuthorized, Unavailable
from dpps.domain.files import FileContent, MetadataValue, ReplicaState
from dpps.domain.names import Lfn
from dpps.testing.catalogue_contract import CatalogueContract, RawCatalogue
from dpps.testing.copy_states_contract import CopyStatesContract

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio


class _Database:
    """What Rucio keeps, in its own tables."""

    onsite_rse = "CTAO-NORTH"
    offsite_rse = "CSCS"

    def __init__(self, connection: psycopg.Connection[Any], admin: Any) -> None:
        self._connection = connection
        self._admin = admin

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode(), values).fetchall()

    def content(self, lfn: Lfn) -> FileContent | None:
        rows = self._rows("select bytes, adler32 from dids where scope=%s and name=%s", lfn.scope, lfn.name)
        return FileContent(size_bytes=rows[0][0], adler32=rows[0][1]) if rows else None

    def metadata(self, lfn: Lfn) -> Mapping[str, MetadataValue]:
        rows = self._rows("select meta from did_meta where scope=%s and name=%s", lfn.scope, lfn.name)
        found: Mapping[str, MetadataValue] = rows[0][0]
        return found

    def copies(self, lfn: Lfn) -> set[str]:
        rows = self._rows(
            "select rse from replicas join rses on rses.id = rse_id where scope=%s and name=%s and state='A'",
            lfn.scope,
            lfn.name,
        )
        return {rse for (rse,) in rows}

    def members(self, dataset: str) -> set[str]:
        rows = self._rows("select child_name from contents where name=%s", dataset)
        return {name for (name,) in rows}

    def rules(self, dataset: str) -> list[tuple[int, str]]:
        return [
            (copies, expression)
            for copies, expression in self._rows(
                "select copies, rse_expression from rules where name=%s", dataset
            )
        ]

    def deletable(self, rse: str, lfn: Lfn) -> bool:
        rows = self._rows(
            "select tombstone, lock_cnt from replicas join rses on rses.id = rse_id "
            "where rse=%s and scope=%s and name=%s",
            rse,
            lfn.scope,
            lfn.name,
        )
        ((tombstone, locks),) = rows
        return tombstone is not None and tombstone < datetime.now(UTC).replace(tzinfo=None) and locks == 0

    def add_copy(self, lfn: Lfn, rse: str) -> None:
        content = self.content(lfn)
        assert content is not None
        file = {"scope": lfn.scope, "name": lfn.name, "bytes": content.size_bytes, "adler32": content.adler32}
        self._admin.add_replicas(rse, [file])


@pytest.fixture(scope="module")
def catalogue(running_system: RunningSystem) -> Catalogue:
    return build_catalogue(running_system.folder, "root")  # no other account may do all that the port can


@pytest.fixture(scope="module")
def raw(running_system: RunningSystem) -> Iterator[RawCatalogue]:
    from rucio.client import Client

    url = running_system.instance.endpoint("rucio-server").url
    folder = running_system.folder
    admin = Client(
        rucio_host=url,
        auth_host=url,
        account="root",
        auth_type="userpass",
        creds={"username": "root", "password": folder.secret("rucio-root")},
    )
    database = running_system.instance.database(folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(database, autocommit=True, options="-c search_path=dev,rucio,public") as connection:
        yield _Database(connection, admin)


@pytest.fixture
def folder() -> str:
    return f"/ctao/dpps/contract-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def copy_states(running_system: RunningSystem) -> CopyStates:
    return RucioCopyStates(connect_account(running_system.folder, "reader"))


class TestRucioCopyStates(CopyStatesContract):
    def test_a_copy_that_a_rule_wants_is_under_way(
        self, catalogue: Catalogue, copy_states: CopyStates, raw: RawCatalogue, folder: str
    ) -> None:
        file = CatalogueContract.file(folder, "a/1.dat", rse=raw.onsite_rse)
        assert [one.error for one in catalogue.register([file])] == [None]
        catalogue.attach(file.dataset, [file.lfn])
        catalogue.ensure_rule(ReplicationRule(dataset=file.dataset, copies=1, expression=raw.offsite_rse))
        states = copy_states.copy_states([file.lfn])[file.lfn]
        assert states[raw.onsite_rse] is ReplicaState.AVAILABLE
        assert states[raw.offsite_rse] in {ReplicaState.COPYING, ReplicaState.UNAVAILABLE}


class TestRucioCatalogue(CatalogueContract):
    def test_containers_hold_the_folders_down_to_the_dataset(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        self.enter(catalogue, self.file(folder, "a/b/1.dat", rse=raw.onsite_rse))
        assert raw.members(folder) == {f"{folder}/a"}
        assert raw.members(f"{folder}/a") == {f"{folder}/a/b"}

    def test_a_folder_cannot_hold_files_and_folders(
        self, catalogue: Catalogue, raw: RawCatalogue, folder: str
    ) -> None:
        self.enter(catalogue, self.file(folder, "a/1.dat", rse=raw.onsite_rse))
        below = self.file(folder, "a/b/1.dat", rse=raw.onsite_rse)
        (outcome,) = catalogue.register([below])
        assert isinstance(outcome.error, Conflict)
        assert raw.content(below.lfn) is None

    def test_many_files_at_once(self, catalogue: Catalogue, raw: RawCatalogue, folder: str) -> None:
        files = [self.file(folder, f"a/{number:04d}.dat", rse=raw.onsite_rse) for number in range(1100)]
        assert all(outcome.created for outcome in catalogue.register(files))
        catalogue.attach(f"{folder}/a", [file.lfn for file in files])
        assert len(raw.members(f"{folder}/a")) == len(files)
        assert catalogue.find(EVERYTHING, place=Place(folder)) == [file.lfn for file in files]


def test_a_reader_cannot_register(running_system: RunningSystem, folder: str) -> None:
    reader = build_catalogue(running_system.folder, "reader")
    file = CatalogueContract.file(folder, "a/1.dat", rse="CTAO-NORTH")
    (outcome,) = reader.register([file])
    assert isinstance(outcome.error, NotAuthorized)


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    import requests

    with pytest.raises(Unavailable, match="list things"), catalogue_errors("list things"):
        requests.get("http://127.0.0.1:9/", timeout=5)
