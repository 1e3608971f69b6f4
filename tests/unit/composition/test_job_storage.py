"""What opens the storages to one job, or to a program that is not ours: named servers and nothing else."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from dpps.composition.instance import Instance, SiteStorage
from dpps.composition.job_storage import job_storage_access
from dpps.composition.state import StateFolder
from dpps.composition.storage import ensure_issuer, storage_audiences, storage_authority, storage_token
from dpps.workload.context import StorageNeeds

_NEAR, _FAR, _FOLDER = "https://127.0.0.1:1111", "https://127.0.0.1:2222", "file://localhost/storage"


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    authority = storage_authority(folder)
    authority.parent.mkdir(parents=True)
    authority.write_text("a certificate")
    ensure_issuer(folder)
    return folder


def _scopes(folder: StateFolder, computing: str, reads: tuple[str, ...]) -> dict[str, str] | None:
    sites = tuple(
        SiteStorage(
            rse=rse, onsite=False, country="CH", latitude_deg=46.0, longitude_deg=8.0, url_prefix=prefix
        )
        for rse, prefix in (("NEAR", _NEAR), ("FAR", _FAR), ("FOLDER", _FOLDER))
    )
    Instance(sites=sites, computing_storage=computing).save(folder)
    access = job_storage_access(
        folder, StorageNeeds(job="p.1", reads=reads, writes="/ctao/tmp/p/1/1", seconds=60)
    )
    return None if access is None else {prefix: _scope(token) for prefix, token in access.tokens.items()}


def _scope(token: str) -> str:
    return str(_claims(token)["scope"])


def _claims(token: str) -> dict[str, object]:
    claims = token.split(".")[1]
    found = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert isinstance(found, dict)
    return found


def test_a_job_has_a_token_for_each_server_where_it_reads_or_writes(folder: StateFolder) -> None:
    reading, writing = (
        "storage.read:/ctao/acada",
        "storage.modify:/ctao/tmp/p/1/1 storage.read:/ctao/tmp/p/1/1",
    )
    assert _scopes(folder, "NEAR", ("/ctao/acada",)) == {_NEAR: f"{reading} {writing}", _FAR: reading}


def test_a_job_without_inputs_has_none_for_servers_where_it_does_not_write(folder: StateFolder) -> None:
    assert set(_scopes(folder, "NEAR", ()) or ()) == {_NEAR}
    assert _scopes(folder, "FOLDER", ()) is None


def test_a_token_for_other_programs_names_its_servers_and_servers_are_told_their_own_names(
    folder: StateFolder,
) -> None:
    Instance().save(folder)
    token = storage_token(folder, "reader", ["127.0.0.1:1111", "127.0.0.1:2222"], lifetime_seconds=60)
    assert _claims(token)["aud"] == [_NEAR, _FAR]
    assert storage_audiences(["127.0.0.1:1111"]) == (_NEAR,)
