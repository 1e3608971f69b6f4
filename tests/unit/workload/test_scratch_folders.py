"""Temporary folders of killed processes are removed by the next run; those of living ones are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dpps.workload.scratch_folders import new_scratch_folder, remove_abandoned, remove_scratch_folder

_OWNER = """
import sys
from dpps.workload.scratch_folders import new_scratch_folder
print(new_scratch_folder("dpps-x-"), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        (folder / "left").mkdir()
        assert remove_abandoned("dpps-x-") == []
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    own = new_scratch_folder("dpps-x-")
    assert not folder.exists()
    assert own.is_dir()
    assert remove_abandoned("dpps-x-") == [], "it is our own"
    remove_scratch_folder(own)
    assert not own.exists()


def test_what_a_process_still_works_with_stays(tmp_path: Path) -> None:
    folder = abandoned(tmp_path)
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()", f"{folder}/data"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as server:
        assert remove_abandoned("dpps-x-") == []
        server.kill()
    assert remove_abandoned("dpps-x-") == [folder]


def abandoned(parent: Path) -> Path:
    folder = parent / "dpps-x-dead"
    folder.mkdir()
    (folder / ".owner.lock").touch()
    return folder


def test_what_is_not_ours_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = abandoned(tmp_path)
    unlocked = tmp_path / "dpps-x-unlocked"
    unlocked.mkdir()
    (tmp_path / "dpps-x-link").symlink_to(folder)
    (tmp_path / "dpps-y").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert remove_abandoned("dpps-x-") == []
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert remove_abandoned("dpps-x-") == [folder]
    assert unlocked.is_dir()
    assert (tmp_path / "dpps-y").is_dir()
