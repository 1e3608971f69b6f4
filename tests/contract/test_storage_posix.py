"""The POSIX storage keeps the storage contract, and meets a real file system's accidents."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpps.adapters.storage.posix import PosixStorage
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound, StorageFull, Unavailable
from dpps.testing.storage_contract import StorageContract, content_of


@dataclass
class RawFolder:
    root: Path

    def put(self, name: str, data: bytes) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.url(name)

    def get(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.exists() else None

    def everything(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}

    def url(self, name: str) -> str:
        return f"file://localhost{self.root}/{name}"


class TestPosixStorage(StorageContract):
    @pytest.fixture
    def raw(self, tmp_path: Path) -> RawFolder:
        root = tmp_path / "storage"
        root.mkdir()
        return RawFolder(root)

    @pytest.fixture
    def storage(self, raw: RawFolder) -> PosixStorage:
        return PosixStorage([raw.root])

    @pytest.mark.parametrize(
        "url",
        [
            "file://otherhost/etc/passwd",
            "file://localhost/etc/passwd",
            "http://localhost/etc/passwd",
            "file://localhost",
            "file://localhost/a%2e%2e/b",
            "/etc/passwd",
            "file://localhost/a\x00b",
        ],
    )
    def test_refuses_hostile_urls(self, storage: PosixStorage, url: str) -> None:
        with pytest.raises(InvalidInput):
            storage.read_back(url)

    def test_the_host_may_be_empty_or_have_port_zero(self, storage: PosixStorage, raw: RawFolder) -> None:
        raw.put("a.dat", b"abc")
        for host in ("", "localhost", "localhost:0"):
            assert storage.size_bytes(f"file://{host}{raw.root}/a.dat") == 3

    def test_a_link_cannot_lead_out(self, storage: PosixStorage, raw: RawFolder, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        (raw.root / "link").symlink_to(outside)
        for name in ("link/secret", "link/new"):
            with pytest.raises(InvalidInput, match="outside"):
                storage.read_back(raw.url(name))

    def test_a_pipe_is_refused_at_once(self, storage: PosixStorage, raw: RawFolder) -> None:
        os.mkfifo(raw.root / "pipe")
        with pytest.raises(Conflict, match="regular"):
            storage.read_back(raw.url("pipe"))
        assert list(storage.list_files(raw.url(""))) == []

    def test_a_folder_in_the_way(self, storage: PosixStorage, raw: RawFolder, tmp_path: Path) -> None:
        (raw.root / "taken" / "inner").mkdir(parents=True)
        source = tmp_path / "source"
        source.write_bytes(b"x")
        with pytest.raises(Conflict):
            storage.upload(source, raw.url("taken"))
        assert raw.everything() == set()

    def test_temporary_files_are_not_listed(self, storage: PosixStorage, raw: RawFolder) -> None:
        source, destination = raw.put("a.dat", b"abc"), raw.url("b/c.dat")
        storage.copy_aside(source, destination, "token", lambda: None)

        assert len(raw.everything()) == 2
        assert list(storage.list_files(raw.url("b"))) == []
        storage.discard(destination, "token")
        assert raw.everything() == {"a.dat"}

    def test_a_copy_is_published_under_its_name(self, storage: PosixStorage, raw: RawFolder) -> None:
        source, destination = raw.put("a.dat", b"abc"), raw.put("b.dat", b"old")

        contents = storage.copy_aside(source, destination, "token", lambda: None)

        assert contents == (content_of(b"abc"), content_of(b"abc"))
        assert raw.get("b.dat") == b"old"
        storage.publish(destination, "token")
        assert raw.get("b.dat") == b"abc"
        assert raw.everything() == {"a.dat", "b.dat"}

    def test_a_rename_cut_between_its_two_steps_is_completed(
        self, storage: PosixStorage, raw: RawFolder
    ) -> None:
        source = raw.put("a.dat", b"abc")
        (raw.root / "b.dat").hardlink_to(raw.root / "a.dat")

        storage.rename(source, raw.url("b.dat"))

        assert raw.everything() == {"b.dat"}

    def test_renames_where_hard_links_are_refused(
        self, storage: PosixStorage, raw: RawFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(destination: Path, source: Path) -> None:
            raise PermissionError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        source, taken = raw.put("a.dat", b"mine"), raw.put("b.dat", b"theirs")

        with pytest.raises(Conflict):
            storage.rename(source, taken)
        storage.rename(source, raw.url("c.dat"))

        assert raw.get("b.dat") == b"theirs"
        assert raw.get("c.dat") == b"mine"
        assert raw.everything() == {"b.dat", "c.dat"}

    @pytest.mark.parametrize(
        ("number", "kind", "retryable"),
        [
            (errno.ENOSPC, StorageFull, True),
            (errno.EDQUOT, StorageFull, True),
            (errno.EACCES, Unavailable, False),
            (errno.EIO, Unavailable, True),
            (errno.ENOENT, NotFound, False),
            (errno.ENOBUFS, Unavailable, True),
        ],
    )
    def test_accidents_are_named_and_leave_nothing(
        self,
        storage: PosixStorage,
        raw: RawFolder,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        kind: type[DppsError],
        retryable: bool,
    ) -> None:
        source = tmp_path / "source.dat"
        source.write_bytes(b"x" * 100)

        def fail(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(kind) as failed:
            storage.upload(source, raw.url("new.dat"))

        assert failed.value.identifiers["url"] == raw.url("new.dat")
        assert failed.value.retryable is retryable
        assert failed.value.next_step
        assert raw.everything() == set()
