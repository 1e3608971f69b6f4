"""What every implementation of the ``Storage`` port must do.

Subclass `StorageContract` in ``tests/contract`` and give the fixtures ``storage``, ``raw`` and ``url``.
The suite looks at the bytes through ``raw`` only: no adapter is checked with its own read.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Protocol

import pytest

from dpps.data.ports import Storage
from dpps.domain.errors import Conflict, InvalidInput, NotFound
from dpps.domain.files import FileContent

__all__ = ["RawStore", "StorageContract", "content_of"]


class RawStore(Protocol):
    """Direct access to what a storage keeps, without the code under test."""

    def put(self, name: str, data: bytes) -> str:
        """Place bytes; return their URL."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return the bytes, or None."""
        ...

    def everything(self) -> set[str]:
        """Return the names of all that is stored, temporary files included."""
        ...

    def url(self, name: str) -> str:
        """Return the URL of a name."""
        ...


def content_of(data: bytes) -> FileContent:
    """Return size and checksum of bytes, computed here."""
    return FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}")


class StorageContract:
    """The suite. Names are LFN-like: ``ctao/dpps/a/b.dat``."""

    @pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 3_000_000], ids=["empty", "one", "chunks"])
    def test_reads_back_size_and_checksum(self, storage: Storage, raw: RawStore, data: bytes) -> None:
        url = raw.put("ctao/dpps/one.dat", data)

        assert storage.size_bytes(url) == len(data)
        assert storage.read_back(url) == content_of(data)

    def test_absent_files(self, storage: Storage, raw: RawStore, tmp_path: Path) -> None:
        url = raw.url("ctao/dpps/none.dat")

        assert storage.size_bytes(url) is None
        with pytest.raises(NotFound) as reading:
            storage.read_back(url)
        assert reading.value.next_step
        with pytest.raises(NotFound):
            storage.download(url, tmp_path / "copy.dat")
        assert not list(tmp_path.glob("*.dat"))
        storage.delete(url)
        assert list(storage.list_files(raw.url("ctao/nothing-here"))) == []

    @pytest.mark.parametrize(
        "data", [b"", b"one", b"\x01\x02\x03" * 3_000_000], ids=["empty", "few", "chunks"]
    )
    def test_uploads_whole_files(self, storage: Storage, raw: RawStore, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "product.dat"
        path.write_bytes(data)

        content = storage.upload(path, raw.url("ctao/dpps/deep/er/product.dat"))

        assert content == content_of(data)
        assert raw.get("ctao/dpps/deep/er/product.dat") == data
        assert raw.everything() == {"ctao/dpps/deep/er/product.dat"}

    def test_an_upload_may_be_repeated(self, storage: Storage, raw: RawStore, tmp_path: Path) -> None:
        path = tmp_path / "product.dat"
        path.write_bytes(b"first")
        storage.upload(path, raw.url("ctao/dpps/product.dat"))
        storage.upload(path, raw.url("ctao/dpps/product.dat"))

        assert raw.get("ctao/dpps/product.dat") == b"first"
        assert raw.everything() == {"ctao/dpps/product.dat"}

    def test_an_upload_of_nothing_leaves_nothing(
        self, storage: Storage, raw: RawStore, tmp_path: Path
    ) -> None:
        with pytest.raises(NotFound):
            storage.upload(tmp_path / "absent.dat", raw.url("ctao/dpps/product.dat"))
        assert raw.everything() == set()

    def test_downloads_whole_files(self, storage: Storage, raw: RawStore, tmp_path: Path) -> None:
        data = bytes(range(256)) * 40_000
        url = raw.put("ctao/dpps/product.dat", data)
        target = tmp_path / "made" / "here" / "product.dat"

        assert storage.download(url, target) == content_of(data)
        assert target.read_bytes() == data
        assert [path.name for path in target.parent.iterdir()] == ["product.dat"]

    def test_renames_once(self, storage: Storage, raw: RawStore) -> None:
        source, destination = raw.put("ctao/tmp/a.dat", b"bytes"), raw.url("ctao/dpps/new/b.dat")

        storage.rename(source, destination)
        storage.rename(source, destination)

        assert raw.everything() == {"ctao/dpps/new/b.dat"}
        assert raw.get("ctao/dpps/new/b.dat") == b"bytes"

    def test_a_rename_never_replaces_another_file(self, storage: Storage, raw: RawStore) -> None:
        source, destination = raw.put("ctao/tmp/a.dat", b"mine"), raw.put("ctao/dpps/b.dat", b"theirs")

        with pytest.raises(Conflict):
            storage.rename(source, destination)

        assert raw.get("ctao/tmp/a.dat") == b"mine"
        assert raw.get("ctao/dpps/b.dat") == b"theirs"

    def test_a_rename_of_nothing_is_an_error(self, storage: Storage, raw: RawStore) -> None:
        with pytest.raises(NotFound):
            storage.rename(raw.url("ctao/tmp/a.dat"), raw.url("ctao/dpps/b.dat"))

    def test_deletes(self, storage: Storage, raw: RawStore) -> None:
        url = raw.put("ctao/dpps/a.dat", b"bytes")
        kept = raw.put("ctao/dpps/b.dat", b"bytes")

        storage.delete(url)
        storage.delete(url)

        assert raw.everything() == {"ctao/dpps/b.dat"}
        assert storage.size_bytes(kept) == 5

    def test_lists_what_is_below(self, storage: Storage, raw: RawStore) -> None:
        names = ["ctao/dpps/a/1.dat", "ctao/dpps/a/b/2.dat", "ctao/dpps/ab/3.dat", "ctao/other/4.dat"]
        urls = [raw.put(name, b"x") for name in names]

        assert sorted(storage.list_files(raw.url("ctao/dpps/a"))) == sorted(urls[:2])
        assert sorted(storage.list_files(raw.url("ctao"))) == sorted(urls)

    @pytest.mark.parametrize("hostile", ["../escape.dat", "ctao/../../escape.dat", "ctao/dpps/.."])
    def test_refuses_to_climb(self, storage: Storage, raw: RawStore, tmp_path: Path, hostile: str) -> None:
        path = tmp_path / "product.dat"
        path.write_bytes(b"x")
        with pytest.raises(InvalidInput):
            storage.upload(path, raw.url(hostile))
        with pytest.raises(InvalidInput):
            storage.size_bytes(raw.url(hostile))
        assert raw.everything() == set()
