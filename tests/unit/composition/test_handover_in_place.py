"""A hand-over folder that is the root of an on-site storage is known as such, whatever serves the storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.composition.ingest import build_ingest_settings
from dpps.composition.instance import Endpoint, Instance, SiteStorage, StorageKind
from dpps.composition.state import StateFolder

OURS = Endpoint(port=15000, scheme="https")


def in_place(root: Path, prefix: str, handover: Path | None = None, *, onsite: bool = True) -> str | None:
    folder = StateFolder(root)
    folder.storage("CTAO-NORTH").mkdir(parents=True, exist_ok=True)
    site = SiteStorage(
        rse="CTAO-NORTH",
        onsite=onsite,
        country="ES",
        latitude_deg=28.8,
        longitude_deg=-17.9,
        url_prefix=prefix,
    )
    endpoints = {"storage-ctao-north": OURS}
    Instance(storage=StorageKind.XROOTD, sites=(site,), endpoints=endpoints).save(folder)
    return build_ingest_settings(folder, handover=handover or folder.storage("CTAO-NORTH")).in_place_rse


@pytest.mark.parametrize("prefix", ["file://localhost{storage}", "https://127.0.0.1:15000"])
def test_the_root_of_our_own_storage_is_recognised(tmp_path: Path, prefix: str) -> None:
    told = prefix.format(storage=StateFolder(tmp_path).storage("CTAO-NORTH"))
    assert in_place(tmp_path, told) == "CTAO-NORTH"
    link = tmp_path / "link"
    link.symlink_to(StateFolder(tmp_path).storage("CTAO-NORTH"))
    assert in_place(tmp_path, told, link) == "CTAO-NORTH"
    assert in_place(tmp_path, told, StateFolder(tmp_path).storage("CTAO-NORTH") / "ctao") is None
    assert in_place(tmp_path, told, onsite=False) is None


def test_a_server_of_others_has_no_folder_here(tmp_path: Path) -> None:
    assert in_place(tmp_path, "https://storage.example.org:15000") is None
    assert in_place(tmp_path, "https://127.0.0.1:15001") is None
