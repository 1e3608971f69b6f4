"""Folders and servers are a storage only while they show their mark."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps.adapters.storage.file_urls import MARK
from dpps.adapters.storage.posix import PosixStorage
from dpps.composition.state import StateFolder
from dpps.composition.storage_marks import mark_storages, storage_marks
from dpps.data.audit.ports import SurveyedStorage
from dpps.ops.xrootd import xrootd_user
from dpps.testing.marked_storage_contract import MarkedPlace, MarkedStorageContract

if TYPE_CHECKING:
    from dpps.testing.xrootd_servers import XrootdServers


class TestMarkedFolder(MarkedStorageContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> MarkedPlace:
        root = tmp_path / "state" / "storage" / "CSCS"
        root.mkdir(parents=True)
        return MarkedPlace(root, MARK, f"file://localhost{root}")

    @pytest.fixture
    def storage(self, tmp_path: Path, place: MarkedPlace) -> SurveyedStorage:
        folder = StateFolder(tmp_path / "state")
        mark_storages(folder, [place.root])
        return PosixStorage([place.root], storage_marks(folder))


def _give_to_server(path: Path) -> None:
    user = xrootd_user()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


@pytest.mark.xrootd
class TestMarkedServer(MarkedStorageContract):
    @pytest.fixture
    def place(self, xrootd_servers: XrootdServers) -> Iterator[MarkedPlace]:
        root, record = xrootd_servers.raw("NEAR"), xrootd_servers.folder.config / "storage-marks.json"
        mark_storages(xrootd_servers.folder, [root])
        place = MarkedPlace(root, MARK, xrootd_servers.prefix("NEAR"), _give_to_server)
        yield place
        place.come_back()
        record.unlink()
        for path in root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(root.with_name(f"{root.name}-empty"), ignore_errors=True)

    @pytest.fixture
    def storage(self, xrootd_servers: XrootdServers, place: MarkedPlace) -> SurveyedStorage:
        return xrootd_servers.storage("preservation")
