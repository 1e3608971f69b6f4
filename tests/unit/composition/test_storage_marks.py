"""A folder is a storage only while it shows its mark: a file system that dropped out leaves an empty one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dpps.adapters.storage import byte_streams
from dpps.adapters.storage.file_urls import MARK
from dpps.adapters.storage.posix import PosixStorage
from dpps.composition.state import StateFolder
from dpps.composition.storage_marks import mark_storages, storage_marks
from dpps.domain.errors import Unavailable
from dpps.services.rucio_folders import guard_deletions


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


@pytest.fixture
def root(folder: StateFolder) -> Path:
    root = folder.storage("CSCS")
    root.mkdir(parents=True)
    mark_storages(folder, [root])
    return root


@pytest.fixture
def storage(folder: StateFolder, root: Path) -> PosixStorage:
    return PosixStorage([root], storage_marks(folder))


def drop_out(root: Path) -> Path:
    """Leave an empty folder, as an unmounted file system does; return where its files are."""
    away = root.with_name("away")
    root.rename(away)
    root.mkdir()
    return away


@pytest.mark.parametrize("how", ["gone", "a file"])
def test_a_folder_that_is_gone_is_out_of_reach(storage: PosixStorage, root: Path, how: str) -> None:
    drop_out(root).rename(root.with_name("elsewhere"))
    root.rmdir()
    if how == "a file":
        root.touch()
    with pytest.raises(Unavailable, match="is not there"):
        storage.size_bytes(f"file://localhost{root}/ctao/file")


def test_a_copy_is_not_published_where_the_storage_went_away_meanwhile(
    storage: PosixStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = root.parent / "source"
    source.write_bytes(b"bytes")
    copy = byte_streams.copy_bytes

    def drop_out_then_copy(*arguments: Any, **options: Any) -> Any:
        drop_out(root)
        return copy(*arguments, **options)

    monkeypatch.setattr("dpps.adapters.storage.posix.copy_bytes", drop_out_then_copy)
    with pytest.raises(Unavailable):
        storage.upload(source, f"file://localhost{root}/ctao/file")
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_folder_that_lost_its_mark_is_not_marked_anew(folder: StateFolder, root: Path) -> None:
    mark = storage_marks(folder)[root]
    away = drop_out(root)
    mark_storages(folder, [root])
    assert not (root / MARK).exists()
    root.rmdir()
    away.rename(root)
    mark_storages(folder, [root])
    assert (root / MARK).read_text() == mark == storage_marks(folder)[root]


def test_the_catalogue_forgets_no_copy_of_a_storage_that_is_away(
    folder: StateFolder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rucio.common.exception import ServiceUnavailable, SourceNotFound
    from rucio.rse.protocols import posix

    monkeypatch.setattr(posix.Default, "delete", posix.Default.delete)  # put back at the end
    guard_deletions(folder)
    protocol = SimpleNamespace(pfn2path=lambda pfn: pfn.removeprefix("file://localhost"))
    url = f"file://localhost{root}/file"
    (root / "file").write_bytes(b"bytes")
    posix.Default.delete(protocol, url)
    assert not (root / "file").exists()
    with pytest.raises(SourceNotFound):
        posix.Default.delete(protocol, url)
    drop_out(root)
    with pytest.raises(ServiceUnavailable):
        posix.Default.delete(protocol, url)
