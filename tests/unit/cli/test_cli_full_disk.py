"""A full disk is named, whatever failed because of it."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from dpps.cli import full_disk
from dpps.cli.main import run
from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import StorageFull, Unavailable
from dpps.ops.lock import hold
from dpps.ops.status import SystemStatus, write_status

_Usage = namedtuple("_Usage", "total used free")
_STORAGE_FULL = 8


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(10**9, 10**9, 0))


@pytest.mark.usefixtures("full")
def test_the_full_disk_is_the_cause(tmp_path: Path) -> None:
    error = full_disk.explained(Unavailable("the catalogue does not answer"), tmp_path)
    assert isinstance(error, StorageFull)
    assert str(tmp_path) in error.message
    assert "the catalogue does not answer" in error.message
    assert "make room" in error.next_step


def test_with_room_the_error_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(10**12, 0, 10**12))
    error = Unavailable("the catalogue does not answer")
    assert full_disk.explained(error, tmp_path) is error
    assert not full_disk.is_full(tmp_path / "absent")


@pytest.mark.usefixtures("full")
def test_commands_name_the_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = StateFolder(tmp_path)
    Instance.model_validate({"endpoints": {"postgres": {"port": 9}}}).save(folder)
    folder.ensure_secret("postgres")
    assert run(["production", "list", "--json", "--state", str(tmp_path)]) == _STORAGE_FULL
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "storage-full"


@pytest.mark.usefixtures("full")
def test_a_system_on_a_full_disk_is_not_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import os

    folder = StateFolder(tmp_path)
    Instance().save(folder)
    folder.run.mkdir()
    status = SystemStatus(
        state_folder=tmp_path,
        supervisor_pid=os.getpid(),
        metrics_url="",
        services=(),
    )
    write_status(folder, status)
    with hold(folder):  # as the supervisor does
        assert run(["status", "--json", "--state", str(tmp_path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ready"], told["disk_full"]) == (False, True)
