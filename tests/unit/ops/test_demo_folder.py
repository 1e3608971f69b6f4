"""One demo at a time in a folder, and nothing but a demo's own things removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict
from dpps.ops.demo.folder import claimed_folder


@pytest.fixture
def folder(state_root: Path, request: pytest.FixtureRequest) -> StateFolder:
    return StateFolder(state_root / request.node.name)


def test_a_new_folder_is_made_ready(folder: StateFolder) -> None:
    with claimed_folder(folder):
        assert folder.handover.is_dir()


def test_two_demos_never_share_a_folder(folder: StateFolder) -> None:
    with claimed_folder(folder):
        (folder.root / "report.html").write_text("in the making")
        with pytest.raises(Conflict, match="another demo runs"), claimed_folder(folder):
            pytest.fail("two demos hold one folder")
        assert (folder.root / "report.html").exists()


def test_an_earlier_demo_is_removed(folder: StateFolder) -> None:
    with claimed_folder(folder):
        (folder.root / "report.html").write_text("old")
        (folder.handover / "file").write_text("old")
        (folder.config / "policy.yaml").write_text("old")
    with claimed_folder(folder):
        assert not (folder.root / "report.html").exists()
        assert not (folder.config / "policy.yaml").exists()
        assert list(folder.handover.iterdir()) == []


def test_what_no_demo_made_is_left_alone(folder: StateFolder) -> None:
    folder.root.mkdir()
    (folder.root / "thesis.tex").write_text("precious")
    with pytest.raises(Conflict, match="not a demo"), claimed_folder(folder):
        pytest.fail("a stranger's folder was taken")
    assert (folder.root / "thesis.tex").read_text() == "precious"
