"""What each account of the catalogue may do, tried with the stock client on the real server."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dpps.services.rucio_bootstrap import ACCOUNTS

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_CONTENT = {"bytes": 3, "adler32": "00000001"}
_SCOPES = {"ingest": "acada", "production": "dpps"}
_WEEK_SECONDS = 7 * 86_400


@pytest.fixture(scope="module")
def accounts(running_system: RunningSystem) -> dict[str, Any]:
    """A stock client for each account."""
    from dpps.adapters.rucio.connection import RucioAccount, connect

    folder = running_system.folder
    return {
        name: connect(
            RucioAccount(
                url=running_system.instance.endpoint("rucio-server").url,
                name=name,
                password=folder.secret(f"rucio-{name}"),
                configuration=folder.rucio_client_config,
                tokens=folder.run / "tokens",
            )
        )
        for name in (account.name for account in ACCOUNTS)
    }


def _file(scope: str) -> dict[str, Any]:
    return {"scope": scope, "name": f"/ctao/{scope}/rights/{uuid.uuid4().hex}", **_CONTENT}


def _new_file(client: Any, scope: str, rse: str = "CSCS") -> dict[str, Any]:
    file = _file(scope)
    client.add_replicas(rse, [dict(file)])
    return file


def _new_dataset(client: Any, scope: str, files: list[dict[str, Any]]) -> str:
    name = f"/ctao/{scope}/rights/{uuid.uuid4().hex}/set"
    client.add_dataset(scope, name)
    client.attach_dids(scope, name, [_did(file) for file in files])
    return name


def _did(file: dict[str, Any]) -> dict[str, str]:
    return {"scope": file["scope"], "name": file["name"]}


def _refused(call: Callable[[], object]) -> bool:
    from rucio.common.exception import AccessDenied

    try:
        call()
    except AccessDenied:
        return True
    return False


def test_nobody_but_root_is_an_administrator(accounts: dict[str, Any]) -> None:
    for name in accounts:
        attributes = {one["key"] for one in next(iter(accounts["root"].list_account_attributes(name)))}
        assert ("admin" in attributes) == (name == "root"), name


def test_each_scope_is_written_by_its_own_accounts_only(accounts: dict[str, Any]) -> None:
    # Simulations that are handed over become products.
    may = {*_SCOPES.items(), ("production", "tmp"), ("ingest", "dpps")}
    for name, client in accounts.items():
        for scope in ("acada", "dpps", "tmp"):
            allowed = name == "root" or (name, scope) in may
            calls = [
                partial(client.add_dataset, scope, f"/ctao/{scope}/rights/{uuid.uuid4().hex}"),
                partial(client.add_replicas, "CSCS", [_file(scope)]),
            ]
            assert [_refused(call) for call in calls] == [not allowed] * 2, (name, scope)


def test_a_file_of_another_scope_gets_no_copies_metadata_states_or_rules_from_a_stranger(
    accounts: dict[str, Any],
) -> None:
    ingest = accounts["ingest"]
    file = _new_file(ingest, "acada")
    dataset = _new_dataset(ingest, "acada", [file])
    own = _new_file(accounts["production"], "dpps")
    for name in ("production", "operator", "reader"):
        client = accounts[name]
        calls: list[Callable[[], object]] = [
            # The file is known already: Rucio itself would ask nobody about its scope.
            partial(client.add_replicas, "PIC", [dict(file)]),
            partial(client.update_replicas_states, "CSCS", [{**_did(file), "state": "U"}]),
            partial(client.set_metadata, file["scope"], file["name"], "obs_id", 3),
            partial(client.set_dids_metadata_bulk, [{**_did(file), "meta": {"obs_id": 3}}]),
            partial(client.delete_metadata, file["scope"], file["name"], "obs_id"),
            partial(client.attach_dids, "acada", dataset, [_did(own)]),
            partial(client.detach_dids, "acada", dataset, [_did(file)]),
            partial(client.add_replication_rule, [{"scope": "acada", "name": dataset}], 1, "PIC"),
            partial(client.set_tombstone, [{**_did(file), "rse": "CSCS"}]),
            partial(client.declare_bad_file_replicas, [{**_did(file), "rse": "CSCS"}], "test"),
        ]
        assert [_refused(call) for call in calls] == [True] * len(calls), name
    assert [set(one["rses"]) for one in ingest.list_replicas([_did(file)])] == [{"CSCS"}]


@pytest.mark.parametrize(("name", "scope"), _SCOPES.items())
def test_what_is_archived_gets_no_date_of_deletion_and_no_other_checksum(
    accounts: dict[str, Any], name: str, scope: str
) -> None:
    client = accounts[name]
    file = _new_file(client, scope)
    dataset = _new_dataset(client, scope, [file])
    (rule,) = client.add_replication_rule([{"scope": scope, "name": dataset}], 1, "CSCS")
    calls: list[Callable[[], object]] = [
        partial(client.set_metadata, scope, file["name"], "lifetime", 1),
        partial(client.set_metadata, scope, file["name"], "adler32", "00000002"),
        partial(client.set_metadata, scope, file["name"], "bytes", 4),
        partial(client.add_dataset, scope, f"{dataset}/more", lifetime=5),
        partial(client.update_replication_rule, rule, {"lifetime": 1}),
        partial(client.delete_replication_rule, rule),
        partial(client.detach_dids, scope, dataset, [_did(file)]),
    ]
    assert [_refused(call) for call in calls] == [True] * len(calls)
    preserver = accounts["preservation"]
    assert not _refused(partial(preserver.update_replication_rule, rule, {"comment": "superseded"}))


def test_temporary_files_have_a_lifetime_that_their_owner_may_change(accounts: dict[str, Any]) -> None:
    client = accounts["production"]
    file = _new_file(client, "tmp")
    dataset = [{"scope": "tmp", "name": _new_dataset(client, "tmp", [file])}]
    assert _refused(partial(client.add_replication_rule, dataset, 1, "CSCS"))
    (rule,) = client.add_replication_rule(dataset, 1, "CSCS", lifetime=_WEEK_SECONDS)
    assert not _refused(partial(client.update_replication_rule, rule, {"lifetime": 2 * _WEEK_SECONDS}))
    assert _refused(partial(client.update_replication_rule, rule, {"lifetime": None}))
    for stranger in ("ingest", "reader", "operator"):
        other = accounts[stranger]
        assert _refused(partial(other.update_replication_rule, rule, {"lifetime": 1}))
        assert _refused(partial(other.add_replication_rule, dataset, 1, "PIC", lifetime=9))
    assert not _refused(partial(client.update_replication_rule, rule, {"lifetime": -1}))


def test_the_preserver_releases_copies_and_declares_damage_but_registers_nothing(
    accounts: dict[str, Any],
) -> None:
    file = _new_file(accounts["ingest"], "acada")
    accounts["ingest"].add_replicas("PIC", [dict(file)])
    preserver = accounts["preservation"]
    assert not _refused(partial(preserver.set_tombstone, [{**_did(file), "rse": "PIC"}]))
    bad = [{**_did(file), "rse": "CSCS"}]
    assert not _refused(partial(preserver.declare_bad_file_replicas, bad, "test"))
    assert _refused(partial(preserver.add_replicas, "DESY-ZEUTHEN", [dict(file)]))


def test_the_operator_changes_storages_and_nobody_else(accounts: dict[str, Any]) -> None:
    for name, client in accounts.items():
        calls: list[Callable[[], object]] = [
            partial(client.add_rse_attribute, "FRASCATI", "note", "kept"),
            partial(client.update_rse, "FRASCATI", {"availability_write": True}),
            partial(client.update_distance, "FRASCATI", "PIC", {"distance": 9}),
        ]
        assert [_refused(call) for call in calls] == [name not in ("root", "operator")] * 3, name
    assert accounts["operator"].delete_rse_attribute("FRASCATI", "note")
