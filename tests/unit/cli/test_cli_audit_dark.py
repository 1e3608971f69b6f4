"""Dark files are listed a page at a time, and whoever scripts it is told when there is more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dpps.adapters.memory.preservation import MemoryFindings
from dpps.cli.main import run
from dpps.data.audit.dark_page import dark_page
from dpps.domain.errors import NotAuthorized
from dpps.domain.principals import Principal, Role
from dpps.testing.command_line import Shell

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)
URLS = [f"file://localhost/PIC/ctao/{name}" for name in "abcde"]


@pytest.fixture
def dpps(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    findings = MemoryFindings()
    findings.see_dark("PIC", dict.fromkeys(URLS, False), NOW - timedelta(days=2))
    findings.see_dark("CSCS", {"file://localhost/CSCS/new": False}, NOW)
    parts = SimpleNamespace(
        principal=Principal(name="alice", roles=frozenset({Role.OPERATOR, Role.READER})),
        findings=findings,
        reader=SimpleNamespace(clock=lambda: NOW),
        dark_grace=timedelta(days=1),
        prepare=lambda: None,
        close=lambda: None,
    )
    monkeypatch.setattr("dpps.composition.preservation.build_preservation", lambda _folder: parts)
    return Shell(tmp_path, capsys)


def test_every_page_says_how_the_next_one_is_asked_for(dpps: Shell) -> None:
    found: list[str] = []
    behind: list[str] = []
    for _ in range(3):
        page: dict[str, Any] = dpps("data", "audit", "dark", "list", "--limit", "2", *behind)
        found += [one["url"] for one in page["files"]]
        assert page["more"] is (page["next"] is not None)
        behind = ["--after", page["next"]["rse"], page["next"]["url"]] if page["more"] else []
    assert found == URLS
    assert not behind


def test_a_full_page_without_more_behind_it_is_the_last(dpps: Shell) -> None:
    page = dpps("data", "audit", "dark", "list", "--limit", "5")
    assert (len(page["files"]), page["more"], page["next"]) == (5, False, None)
    assert dpps("data", "audit", "dark", "list", "--rse", "CSCS") == {
        "files": [],
        "more": False,
        "next": None,
    }


@pytest.mark.usefixtures("dpps")
def test_people_are_told_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "audit", "dark", "list", "--limit", "4", "--state", str(tmp_path)]) == 0
    assert f"there is more: --after PIC {URLS[3]}" in capsys.readouterr().err


def test_who_may_not_read_sees_nothing() -> None:
    nobody = Principal(name="nobody", roles=frozenset())
    with pytest.raises(NotAuthorized):
        dark_page(nobody, MemoryFindings(), NOW, limit=1)
