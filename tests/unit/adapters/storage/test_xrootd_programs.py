"""XRootD's programs, played by scripts: they may talk for ever or never come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.adapters.storage.xrootd_programs import ProgramFailed, XrootdPrograms


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def _play(folder: Path, script: str) -> None:
    program = folder / "xrdfs"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_only_the_end_of_a_long_complaint_is_kept(folder: Path) -> None:
    _play(folder, "seq 1 20000 >&2; exit 54")
    with pytest.raises(ProgramFailed) as failed:
        XrootdPrograms(folder).ask(None, "a:1", "stat", "/x")
    assert str(failed.value).endswith("19999 20000")
    assert len(str(failed.value)) <= 4096


def test_a_program_that_does_not_come_back_is_ended(folder: Path) -> None:
    _play(folder, "exec sleep 1000")
    with pytest.raises(ProgramFailed, match="timed out"):
        XrootdPrograms(folder, patience_seconds=0.2).ask(None, "a:1", "stat", "/x")


def test_a_program_is_told_how_long_a_silent_server_is_waited_for(folder: Path) -> None:
    _play(folder, "env")
    told = XrootdPrograms(folder).ask(None, "a:1", "stat", "/x").splitlines()
    assert {"XRD_STREAMERRORWINDOW=60", "XRD_STREAMTIMEOUT=60", "XRD_REQUESTTIMEOUT=60"} <= set(told)
