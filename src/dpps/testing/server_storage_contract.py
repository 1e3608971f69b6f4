"""What every storage on a server must do, whatever protocol it speaks: the storage contract, and more.

Subclass `ServerStorageContract` in ``tests/contract`` and give the fixtures ``storage`` and ``raw``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpps.data.transfers.ports import TransferStorage
from dpps.domain.errors import Conflict
from dpps.testing.storage_contract import StorageContract, content_of

__all__ = ["RawServer", "ServerStorageContract"]


@dataclass
class RawServer:
    """The folder that a server shows, looked at from the inside; implements `RawStore`.

    Parameters
    ----------
    root : pathlib.Path
        The folder.
    prefix : str
        URL that its names follow.
    """

    root: Path
    prefix: str

    def put(self, name: str, data: bytes) -> str:
        """Place bytes as the server would have them; return their URL."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        owner = self.root.stat()
        for made in (path, *path.parents[: len(Path(name).parts) - 1]):
            os.chown(made, owner.st_uid, owner.st_gid)
        return self.url(name)

    def get(self, name: str) -> bytes | None:
        """Return the bytes, or None."""
        path = self.root / name
        return path.read_bytes() if path.exists() else None

    def everything(self) -> set[str]:
        """Return the names of all that is stored, temporary files included."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}

    def url(self, name: str) -> str:
        """Return the URL of a name."""
        return f"{self.prefix}/{name}"

    def empty(self) -> None:
        """Remove everything."""
        for path in self.root.iterdir():
            shutil.rmtree(path)


class ServerStorageContract(StorageContract):
    """The suite."""

    def test_a_folder_is_no_file(self, storage: TransferStorage, raw: RawServer) -> None:
        raw.put("ctao/dpps/a.dat", b"x")
        for act in (storage.size_bytes, storage.delete):
            with pytest.raises(Conflict):
                act(raw.url("ctao/dpps"))
        assert raw.everything() == {"ctao/dpps/a.dat"}

    def test_temporary_names_are_not_listed(self, storage: TransferStorage, raw: RawServer) -> None:
        url = raw.put("ctao/dpps/a.dat", b"x")
        raw.put("ctao/dpps/.dpps-token", b"half")

        assert list(storage.list_files(raw.url("ctao"))) == [url]

    def test_a_file_of_a_stranger_may_have_a_space_in_its_name(
        self, storage: TransferStorage, raw: RawServer
    ) -> None:
        url = raw.put("ctao/dpps/a b.dat", b"x")

        assert list(storage.list_files(raw.url("ctao"))) == [url]
        assert storage.read_back(url) == content_of(b"x")
        storage.delete(url)
        assert raw.everything() == set()

    def test_a_publication_replaces_what_has_the_name(self, storage: TransferStorage, raw: RawServer) -> None:
        source, destination = raw.put("ctao/dpps/a.dat", b"new"), raw.put("ctao/dpps/b.dat", b"old")

        _, written = storage.copy_aside(source, destination, "7-1", lambda: None)
        assert written == content_of(b"new")
        assert raw.get("ctao/dpps/b.dat") == b"old"
        storage.publish(destination, "7-1")

        assert raw.get("ctao/dpps/b.dat") == b"new"
        assert raw.everything() == {"ctao/dpps/a.dat", "ctao/dpps/b.dat"}

    def test_a_folder_that_was_removed_since_is_made_again(
        self, storage: TransferStorage, raw: RawServer, tmp_path: Path
    ) -> None:
        (tmp_path / "a.dat").write_bytes(b"x")
        url = raw.url("ctao/dpps/day/a.dat")
        storage.upload(tmp_path / "a.dat", url)
        raw.empty()
        assert storage.upload(tmp_path / "a.dat", url) == content_of(b"x")
        storage.rename(url, raw.url("ctao/dpps/other/a.dat"))
        raw.empty()
        source = raw.put("ctao/dpps/night/a.dat", b"x")
        storage.rename(source, raw.url("ctao/dpps/other/a.dat"))
        assert raw.everything() == {"ctao/dpps/other/a.dat"}
