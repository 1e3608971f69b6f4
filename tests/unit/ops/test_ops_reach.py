"""Programs that the service user cannot reach are copied to where it can."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dpps.domain.errors import NotFound
from dpps.ops.programs import PostgresPrograms, ServiceUser, can_reach, within_reach

NOBODY = ServiceUser(name="nobody", uid=65534, gid=65534)


def installed(folder: Path) -> PostgresPrograms:
    (folder / "package.libs").mkdir(parents=True)
    programs = folder / "package" / "pginstall18" / "bin"
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return PostgresPrograms(folder=programs, major=18)


def test_an_ordinary_user_runs_what_is_installed(tmp_path: Path) -> None:
    programs = installed(tmp_path)
    assert within_reach(programs, None, tmp_path / "copies") == programs
    assert not (tmp_path / "copies").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask what another user may enter")
def test_what_is_closed_to_the_service_user_is_copied_once(state_root: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = installed(closed)
    assert not can_reach(programs.folder / "postgres", NOBODY)
    copies = state_root / "programs"
    copied = within_reach(programs, NOBODY, copies)
    assert copied.folder == copies / "postgresql-18" / "package" / "pginstall18" / "bin"
    assert can_reach(copied.folder / "postgres", NOBODY)
    assert (copied.folder / "../../../package.libs").resolve() == copies / "postgresql-18" / "package.libs"
    assert (copies / "postgresql-18" / "package.libs").is_dir()
    first = (copied.folder / "postgres").stat().st_ino
    assert within_reach(programs, NOBODY, copies) == copied
    assert (copied.folder / "postgres").stat().st_ino == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask what another user may enter")
def test_what_is_open_stays_where_it_is(state_root: Path) -> None:
    programs = installed(state_root / "open")
    assert within_reach(programs, NOBODY, state_root / "unused") == programs
    assert not (state_root / "unused").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask what another user may enter")
def test_programs_of_the_machine_are_never_copied(tmp_path: Path) -> None:
    folder = tmp_path / "closed" / "bin"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    for name in ("initdb", "postgres"):
        (folder / name).write_text("#!/bin/sh\n")
    with pytest.raises(NotFound, match=str(folder)) as refused:
        within_reach(PostgresPrograms(folder=folder, major=18), NOBODY, tmp_path / "copies")
    assert refused.value.next_step
    assert not (tmp_path / "copies").exists()
