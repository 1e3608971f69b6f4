"""What a killed export leaves behind is removed by the next one, and never what another one is making."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from dpps.data.packages.writing import BagWriter

_MAKER = """
import sys, time
from pathlib import Path
from dpps.data.packages.writing import BagWriter

with BagWriter(Path(sys.argv[1])) as bag:
    bag.add_tag("half", "a bag")
    print("making", flush=True)
    time.sleep(600)
"""


def spools(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.name.startswith("."))


@pytest.mark.parametrize("name", ["night", "night.tar"])
def test_the_next_export_removes_what_a_killed_one_left(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    maker = subprocess.Popen([sys.executable, "-c", _MAKER, str(output)], stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None
    with maker.stdout:
        assert maker.stdout.readline() == "making\n"
        (in_use,) = spools(tmp_path)
        with BagWriter(output) as beside:
            assert in_use in spools(tmp_path), "somebody is making it"
            assert len(spools(tmp_path)) == 2
        maker.kill()
        maker.wait()
    assert spools(tmp_path) == [in_use]
    with BagWriter(output) as bag:
        assert spools(tmp_path) == [bag.spool]
        bag.finish({})
    assert spools(tmp_path) == []
    assert output.exists()
    assert not beside.spool.exists()


def test_nothing_else_is_taken_for_a_leftover(tmp_path: Path) -> None:
    other = tmp_path / f".dawn.{uuid.uuid4().hex}"
    files = [tmp_path / ".night.notes" / "mine", other / "mine", tmp_path / "aside" / "mine"]
    for file in files:
        file.parent.mkdir()
        file.write_text("kept")
    (tmp_path / f".night.{uuid.uuid4().hex}").symlink_to(tmp_path / "aside")
    with BagWriter(tmp_path / "night"):
        pass
    assert all(file.read_text() == "kept" for file in files)


def test_a_maker_killed_before_it_held_its_folder_leaves_nothing_either(tmp_path: Path) -> None:
    (tmp_path / f".night.{uuid.uuid4().hex}").mkdir()
    with BagWriter(tmp_path / "night") as bag:
        assert spools(tmp_path) == [bag.spool]


def test_where_the_file_system_knows_no_locks_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: object, _how: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = tmp_path / f".night.{uuid.uuid4().hex}"
    left.mkdir()
    with BagWriter(tmp_path / "night") as bag:
        bag.finish({})
    assert spools(tmp_path) == [left]
    assert (tmp_path / "night").is_dir()
