"""Metadata through the catalogue's API, with the plug-in that writes them in one statement."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from dpps.adapters.rucio.connection import RucioAccount, connect

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio


@pytest.fixture(scope="module")
def client(running_system: RunningSystem) -> Any:
    folder = running_system.folder
    return connect(
        RucioAccount(
            url=running_system.instance.endpoint("rucio-server").url,
            name="ingest",
            password=folder.secret("rucio-ingest"),
            configuration=folder.rucio_client_config,
            tokens=folder.run / "tokens",
        )
    )


def _new_dataset(client: Any) -> str:
    name = f"/ctao/acada/DL0/metadata/{uuid.uuid4().hex}"
    client.add_did("acada", name, "DATASET")
    return name


def test_keys_of_several_calls_add_up_and_the_last_value_counts(client: Any) -> None:
    name = _new_dataset(client)
    client.set_metadata_bulk("acada", name, {"sb_id": 1, "tel_ids": [1, 2], "note": 'it\'s "so"'})
    client.set_metadata("acada", name, "sb_id", 2)
    client.set_dids_metadata_bulk([{"scope": "acada", "name": name, "meta": {"quality": {"ok": True}}}])
    assert client.get_metadata("acada", name, plugin="JSON") == {
        "sb_id": 2,
        "tel_ids": [1, 2],
        "note": 'it\'s "so"',
        "quality": {"ok": True},
    }
    assert name in list(client.list_dids("acada", [{"sb_id": 2, "name": name}], "dataset"))


def test_metadata_of_unknown_names_are_refused_and_nothing_of_the_call_is_kept(client: Any) -> None:
    from rucio.common.exception import DataIdentifierNotFound

    name = _new_dataset(client)
    entries = [
        {"scope": "acada", "name": one, "meta": {"sb_id": 7}} for one in (name, f"{name}/nobody-knows-it")
    ]
    with pytest.raises(DataIdentifierNotFound):
        client.set_dids_metadata_bulk(entries)
    assert client.get_metadata("acada", name, plugin="JSON") == {}
