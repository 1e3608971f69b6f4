"""What the demo hands over, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.domain.errors import DppsError, InvalidInput
from dpps.ops.demo.inputs import given_input, hand_over


def silent(_done: int, _message: str) -> None:
    """Listen to nothing."""


def test_simulation_files_arrive_with_their_trigger(tmp_path: Path) -> None:
    source = tmp_path / "night"
    source.mkdir()
    (source / "gamma.simtel.zst").write_bytes(b"data")
    chosen = given_input(source)
    assert (chosen.kind, chosen.raw, chosen.size_bytes) == ("yours", False, 4)
    delivered = hand_over(chosen, tmp_path / "handover", silent)
    assert delivered == [tmp_path / "handover" / "sim" / "ctao-north" / "gamma.simtel.zst"]
    trigger = delivered[0].with_name("gamma.simtel.zst.trigger")
    assert trigger.is_symlink()
    assert trigger.resolve() == delivered[0]


def test_raw_data_keep_their_path(tmp_path: Path) -> None:
    relative = Path("ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/a.fits.fz")
    (tmp_path / "night" / relative).parent.mkdir(parents=True)
    (tmp_path / "night" / relative).write_bytes(b"raw")
    chosen = given_input(tmp_path / "night")
    assert chosen.raw
    assert hand_over(chosen, tmp_path / "handover", silent) == [tmp_path / "handover" / relative]


def test_a_repeated_hand_over_copies_nothing_again(tmp_path: Path) -> None:
    source = tmp_path / "night"
    source.mkdir()
    (source / "gamma.simtel.gz").write_bytes(b"data")
    chosen = given_input(source)
    (first,) = hand_over(chosen, tmp_path / "handover", silent)
    before = first.stat().st_ino
    (again,) = hand_over(chosen, tmp_path / "handover", silent)
    assert again.stat().st_ino == before


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "no file of a known kind"),
        (["notes.txt"], "no file of a known kind"),
        (["a.simtel.gz", "b.fits.fz"], "simulation files and raw data"),
    ],
)
def test_unusable_folders_are_refused_by_name(tmp_path: Path, names: list[str], complaint: str) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidInput, match=complaint) as refused:
        given_input(tmp_path)
    assert str(tmp_path) in refused.value.message
    assert refused.value.next_step


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a folder"):
        given_input(tmp_path / "nowhere")


def test_an_unreadable_file_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gamma.simtel.gz").write_bytes(b"x")
    monkeypatch.setattr("os.access", lambda _path, _mode: False)  # root may read everything
    with pytest.raises(InvalidInput, match=r"gamma\.simtel\.gz cannot be read"):
        given_input(tmp_path)


def test_a_file_that_vanishes_during_the_hand_over_is_named(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "gamma.simtel.gz").write_bytes(b"x")
    chosen = given_input(tmp_path / "night")
    (tmp_path / "night" / "gamma.simtel.gz").unlink()
    with pytest.raises(DppsError, match=r"gamma\.simtel\.gz"):
        hand_over(chosen, tmp_path / "handover", silent)
