"""Whose process the supervisor's number belongs to, and who looks after a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.ops.lock import hold, is_held, lock_file, supervisors
from dpps.ops.status import SystemStatus, read_status, supervisor_process, write_status


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.run.mkdir(parents=True)
    Instance().save(folder)
    write_status(folder, status(folder))
    return folder


def status(folder: StateFolder) -> SystemStatus:
    return SystemStatus(state_folder=folder.root, supervisor_pid=os.getpid(), metrics_url="", services=())


def running(folder: StateFolder) -> bool:
    found = read_status(folder)
    assert found is not None
    return found.running


def test_the_supervisor_is_the_process_that_holds_the_lock(folder: StateFolder) -> None:
    with hold(folder) as descriptor:
        assert descriptor is not None
        assert running(folder)
        assert supervisor_process(folder, status(folder)) == psutil.Process()
    assert not running(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="the boot time is read from /proc")
@pytest.mark.parametrize("step_seconds", [3600.0, -3600.0])
def test_setting_the_machines_clock_does_not_lose_the_supervisor(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch, step_seconds: float
) -> None:
    # The kernel tells processes' starts relative to the boot, whose time of day moves when the clock is set.
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + step_seconds)
    assert psutil.boot_time() == booted + step_seconds
    with hold(folder):
        assert running(folder)


def test_a_later_process_of_the_same_number_is_not_the_supervisor(folder: StateFolder) -> None:
    lock_file(folder).touch()
    assert supervisor_process(folder, status(folder)) is None


def test_a_folder_that_was_removed_and_made_anew_has_no_supervisor(folder: StateFolder) -> None:
    with hold(folder):
        shutil.rmtree(folder.root)
        folder.run.mkdir(parents=True)
        Instance().save(folder)
        write_status(folder, status(folder))
        assert not running(folder)
        assert not is_held(folder)


def test_only_one_holds_a_folder_and_looking_does_not_hold_it(folder: StateFolder) -> None:
    assert not is_held(folder)
    with hold(folder) as first:
        assert first is not None
        assert is_held(folder)
        with hold(folder) as second:
            assert second is None
    assert not is_held(folder)
    with hold(folder) as third:
        assert third is not None


def test_a_lock_lives_as_long_as_the_process_that_inherited_it(folder: StateFolder) -> None:
    with hold(folder) as descriptor:
        assert descriptor is not None
        heir = subprocess.Popen(["sleep", "600"], pass_fds=[descriptor])
    try:
        assert is_held(folder)
        assert supervisors(folder) == []  # it has the lock, and is no supervisor
    finally:
        heir.kill()
        heir.wait()
    assert not is_held(folder)
