"""A PATH without programs: what is missing is named, nothing falls over on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dpps.ops.programs import ServiceUser, can_reach


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_reach_is_told_without_a_path_to_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = ServiceUser(name="nobody", uid=65534, gid=65534)
    assert can_reach(Path("/"), stranger)
    assert not can_reach(closed, stranger)
