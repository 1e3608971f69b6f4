"""State folders that are refused, each with one clear error; ports, sites and secrets that are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dpps.composition.instance import Instance, StorageKind
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict, DppsError, InvalidInput, StorageFull
from dpps.ops import prepare
from dpps.ops.postgres import check_version
from dpps.ops.programs import PostgresPrograms, ServiceUser

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
as_ordinary = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def _refusal(folder: StateFolder) -> DppsError:
    with pytest.raises(DppsError) as refused:
        prepare.open_folder(folder)
    assert refused.value.next_step
    return refused.value


def test_a_file_is_no_state_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    assert _refusal(StateFolder(path)).code == "state-not-a-folder"
    assert path.read_text() == "precious"


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    assert _refusal(StateFolder(tmp_path)).code == "state-not-a-system"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_below_a_file_is_refused(state_root: Path) -> None:
    (state_root / "file").touch()
    error = _refusal(StateFolder(state_root / "file" / "state"))
    assert isinstance(error, InvalidInput)
    assert str(state_root / "file") in error.message


@as_ordinary
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert _refusal(StateFolder(tmp_path / "state")).code == "state-not-writable"


@as_root
def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    assert _refusal(StateFolder(tmp_path)).code == "state-not-ours"


@as_root
def test_a_folder_closed_to_the_service_user_is_named_with_its_mend(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "state").mkdir(parents=True)
    for path in (*tmp_path.parents, tmp_path):
        if path.stat().st_mode & 0o001 == 0:
            path.chmod(path.stat().st_mode | 0o001)
    closed.chmod(0o700)
    with pytest.raises(InvalidInput, match="cannot enter") as refused:
        prepare.check_folder(StateFolder(closed / "state"), ServiceUser(name="nobody", uid=65534, gid=65534))
    assert refused.value.next_step.startswith(f"run: chmod o+x {closed} ")


def test_a_full_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1024))
    with pytest.raises(StorageFull, match="0 MB are free"):
        prepare.check_folder(StateFolder(tmp_path), None)


def test_a_cluster_of_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("12\n")
    with pytest.raises(Conflict, match="PostgreSQL 12, but the programs here are PostgreSQL 18") as refused:
        check_version(PostgresPrograms(folder=Path("/x"), major=18), tmp_path)
    assert "postgresql-12" in refused.value.next_step


def test_ports_and_sites_are_chosen_once(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    first = prepare.load_or_create_instance(folder, None)
    assert prepare.load_or_create_instance(folder, None) == first == Instance.load(folder)
    assert {site.rse for site in first.sites if site.onsite} == {"CTAO-NORTH", "CTAO-SOUTH"}
    assert len(first.sites) == 6


def test_the_password_of_a_given_database_is_kept_among_the_secrets_only(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    instance = prepare.load_or_create_instance(folder, "postgresql://anna:geheim@db.example:5433/")
    assert "geheim" not in folder.instance_file.read_text()
    assert folder.secret("postgres") == "geheim"
    assert instance.database(folder, "dpps") == "postgresql+psycopg://anna:geheim@db.example:5433/dpps"


@pytest.mark.parametrize("url", ["mysql://u:p@h/", "postgresql:///", "nonsense"])
def test_what_is_no_database_url_is_refused_without_showing_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"database URL|not the URL") as refused:
        prepare.load_or_create_instance(StateFolder(tmp_path), url)
    assert ":p@" not in refused.value.message


@pytest.fixture
def _servers_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "assert_installed", lambda: None)


@pytest.mark.usefixtures("_servers_installed")
def test_the_kind_of_storage_is_chosen_once(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    instance = prepare.load_or_create_instance(folder, None, StorageKind.XROOTD)

    assert prepare.load_or_create_instance(folder, None) == instance
    for site in instance.sites:
        assert site.url_prefix == instance.endpoint(f"storage-{site.rse.lower()}").url
    with pytest.raises(Conflict) as refused:
        prepare.load_or_create_instance(folder, None, StorageKind.POSIX)
    assert "xrootd" in refused.value.message
    assert refused.value.next_step
