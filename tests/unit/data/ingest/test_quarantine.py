from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.cli.main import run
from dpps.data.handover import HandedFile, find_handed, trigger_of
from dpps.data.ingest.values import IngestOutcome
from dpps.data.quarantine import quarantine_file
from dpps.data.quarantine_reasons import find_quarantined, list_quarantined
from dpps.data.quarantine_release import discard_quarantined, release_quarantined
from dpps.domain.errors import Conflict, DamagedFile, InvalidInput, NotAuthorized, NotFound
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel
from tests.unit.data.conftest import Archive

RAW = "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/TEL001_SDH0001_20260214T213000_CHUNK002.fits.fz"
INVALID = RAW.replace("/DL0/", "/INVALID_DL0/")
WRONG = DamagedFile("it is wrong", code="file-damaged", next_step="write it again")
NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def refuse_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no links")


def damaged_raw(archive: Archive) -> Path:
    path = make_raw_stream(archive.handover / RAW)
    path.write_bytes(path.read_bytes()[:-2880])
    announce(path)
    return path


def test_a_folder_that_is_not_there_is_no_empty_quarantine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    assert run(["ingest", "quarantine", "list", elsewhere, "--json", "--state", str(tmp_path)]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "handover-missing"


def test_a_damaged_stream_leaves_the_tree_with_its_trigger_and_the_reason(archive: Archive) -> None:
    path = damaged_raw(archive)
    content = path.read_bytes()
    (result,) = archive.ingest()
    place = archive.handover / INVALID
    assert (result.outcome, result.quarantine) == (IngestOutcome.QUARANTINED, place)
    assert not path.exists()
    assert not trigger_of(path).is_symlink()
    assert place.read_bytes() == content
    assert trigger_of(place).is_symlink()
    reason = json.loads(place.with_name(f"{place.name}.reason.json").read_text())
    assert reason["code"] == "file-damaged"
    assert str(path) in reason["reason"]
    assert reason["next_step"]
    assert reason["handed"] == RAW
    assert reason["size_bytes"] == len(content)
    assert len(reason["adler32"]) == 8
    assert datetime.fromisoformat(reason["quarantined_at"]).utcoffset() is not None
    assert reason["software"].startswith("dpps ")
    assert archive.catalogue.files([]) == []
    assert archive.storage.files == {}
    assert archive.ingest() == []


def test_a_name_without_folders_is_enough_for_one_file(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged_raw(archive)
    archive.ingest()
    place = archive.handover / INVALID
    assert find_quarantined(archive.principal, archive.handover, place.name).path == place
    second = place.with_name(place.name + "~2")
    place.with_name(f"{place.name}.reason.json").rename(f"{second}.reason.json")
    place.rename(second)
    assert find_quarantined(archive.principal, archive.handover, place.name).path == second

    # An absolute path tells the folder by itself, whatever folder the system has.
    state = ["--json", "--state", str(archive.handover.parent / "no-system")]
    assert run(["ingest", "quarantine", "show", str(second), *state]) == 0
    assert json.loads(capsys.readouterr().out)["handed_over_as"] == RAW
    assert run(["ingest", "quarantine", "list", "--handover", str(archive.handover), *state]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1

    damaged_raw(archive)
    archive.ingest()
    with pytest.raises(InvalidInput, match="2 files in the quarantine"):
        find_quarantined(archive.principal, archive.handover, place.name)
    with pytest.raises(NotFound):
        find_quarantined(archive.principal, archive.handover, "TEL001")


def test_other_files_go_to_a_folder_of_their_own(archive: Archive) -> None:
    path = archive.handover / "night/empty.simtel"
    path.parent.mkdir()
    path.write_bytes(b"")
    announce(path)
    (result,) = archive.ingest()
    assert result.quarantine == archive.handover / "quarantine/night/empty.simtel"


def test_a_second_bad_file_of_the_name_lies_beside_the_first(archive: Archive) -> None:
    path = archive.handover / "a.simtel"
    for content in (b"first", b"second", b"second"):
        path.write_bytes(content)
        announce(path)
        archive.ingest()
    folder = archive.handover / "quarantine"
    assert (folder / "a.simtel").read_bytes() == b"first"
    assert (folder / "a.simtel~2").read_bytes() == b"second"
    assert not (folder / "a.simtel~3").exists()
    assert {one.handed for one in list_quarantined(archive.principal, archive.handover)} == {"a.simtel"}


def test_a_mended_file_is_released_and_taken(archive: Archive) -> None:
    path = damaged_raw(archive)
    archive.ingest()
    (listed,) = list_quarantined(archive.principal, archive.handover)
    for name in (INVALID, RAW, str(archive.handover / INVALID), str(path)):
        assert find_quarantined(archive.principal, archive.handover, name) == listed
    listed.path.unlink()
    make_raw_stream(listed.path)
    release_quarantined(archive.principal, archive.handover, RAW)
    assert list((archive.handover / "ctao/acada/INVALID_DL0").rglob("*.*")) == []
    (result,) = archive.ingest()
    assert result.outcome is IngestOutcome.INGESTED
    assert str(result.lfn) == f"/{RAW}"


def test_a_file_that_was_not_mended_comes_back_to_quarantine(archive: Archive) -> None:
    damaged_raw(archive)
    archive.ingest()
    release_quarantined(archive.principal, archive.handover, RAW)
    (result,) = archive.ingest()
    assert result.quarantine == archive.handover / INVALID


def test_a_release_does_not_overwrite_what_was_handed_over_since(archive: Archive) -> None:
    damaged_raw(archive)
    archive.ingest()
    new = make_raw_stream(archive.handover / RAW).read_bytes()
    with pytest.raises(Conflict, match="handed over again"):
        release_quarantined(archive.principal, archive.handover, RAW)
    assert (archive.handover / RAW).read_bytes() == new


def test_discarding_leaves_nothing(archive: Archive) -> None:
    damaged_raw(archive)
    archive.ingest()
    discard_quarantined(archive.principal, archive.handover, INVALID)
    assert [path for path in archive.handover.rglob("*") if not path.is_dir()] == []
    with pytest.raises(NotFound, match="is not in the quarantine"):
        find_quarantined(archive.principal, archive.handover, INVALID)


def test_principals_need_the_role(archive: Archive) -> None:
    damaged_raw(archive)
    archive.ingest()
    reader = Principal(name="guest", roles=frozenset({Role.READER}))
    for call in (release_quarantined, discard_quarantined):
        with pytest.raises(NotAuthorized):
            call(reader, archive.handover, RAW)
    (listed,) = list_quarantined(reader, archive.handover)
    assert find_quarantined(reader, archive.handover, RAW) == listed
    nobody = Principal(name="nobody", roles=frozenset())
    with pytest.raises(NotAuthorized):
        find_quarantined(nobody, archive.handover, RAW)
    with pytest.raises(NotAuthorized):
        list_quarantined(nobody, archive.handover)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(["handed", "code", "quarantined_at", "size_bytes", "adler32", "trigger"]),
            st.one_of(st.none(), st.text(max_size=20), st.integers(), st.just("../../../etc/passwd")),
        ).map(lambda told: json.dumps(told).encode()),
    )
)
def test_a_reason_of_someone_else_neither_stops_the_listing_nor_says_where_files_go(
    tmp_path_factory: pytest.TempPathFactory, reason: bytes
) -> None:
    root = tmp_path_factory.mktemp("handover")
    place = root / INVALID
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    place.with_name(f"{place.name}.reason.json").write_bytes(reason)
    everyone = Principal(name="test", roles=frozenset(Role))
    (listed,) = list_quarantined(everyone, root)
    assert listed.handed == RAW
    assert listed.reason
    assert release_quarantined(everyone, root, RAW).path == root / RAW


@pytest.mark.parametrize("step", ["_write", "rename", "_move_trigger"])
def test_killed_before_any_step_the_next_pass_finishes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    path = damaged_raw(archive)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die) if step == "rename" else patch.setattr(
            f"dpps.data.quarantine.{step}", die
        )
        with pytest.raises(KilledError):
            archive.ingest()
    (result,) = archive.ingest()
    place = archive.handover / INVALID
    assert (result.outcome, result.quarantine) == (IngestOutcome.QUARANTINED, place)
    assert result.error is not None
    assert result.error.code == "file-damaged"
    assert {one.name for one in place.parent.iterdir()} == {
        place.name,
        f"{place.name}.trigger",
        f"{place.name}.reason.json",
    }
    assert list(path.parent.iterdir()) == []


def test_a_reason_without_its_file_goes_when_the_mended_file_is_taken(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged_raw(archive)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            archive.ingest()
    path.unlink()
    make_raw_stream(path)
    (result,) = archive.ingest()
    assert result.outcome is IngestOutcome.INGESTED
    assert list((archive.handover / INVALID).parent.iterdir()) == []


def test_a_file_that_is_handed_over_during_a_release_is_not_replaced(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged_raw(archive)
    archive.ingest()
    place = archive.handover / INVALID
    quarantined, link = place.read_bytes(), os.link

    def come_first(*arguments: Any, **options: Any) -> None:
        path.write_bytes(b"just handed over")
        link(*arguments, **options)

    monkeypatch.setattr(os, "link", come_first)
    with pytest.raises(Conflict) as refused:
        release_quarantined(archive.principal, archive.handover, RAW)
    assert str(path) in refused.value.message
    assert str(place) in refused.value.message
    assert path.read_bytes() == b"just handed over"
    assert not trigger_of(path).is_symlink(), "nobody has said that it is complete"
    assert place.read_bytes() == quarantined
    assert trigger_of(place).is_symlink()


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_hard_links_is_released_to_as_well(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    path = damaged_raw(archive)
    archive.ingest()

    monkeypatch.setattr(os, "link", refuse_links)
    if taken:
        path.write_bytes(b"handed over since")
        with pytest.raises(Conflict):
            release_quarantined(archive.principal, archive.handover, RAW)
        assert path.read_bytes() == b"handed over since"
    else:
        release_quarantined(archive.principal, archive.handover, RAW)
        assert trigger_of(path).is_symlink()
        assert not (archive.handover / INVALID).exists()


@pytest.mark.parametrize("without_links", [False, True])
@pytest.mark.parametrize("step", ["symlink_to", "unlink"])
def test_a_release_that_was_killed_between_its_steps_leaves_one_file_in_the_end(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str, without_links: bool
) -> None:
    path = damaged_raw(archive)
    archive.ingest()
    if without_links:
        monkeypatch.setattr(os, "link", refuse_links)
    with monkeypatch.context() as killed:
        killed.setattr(Path, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            release_quarantined(archive.principal, archive.handover, RAW)
    place = archive.handover / INVALID
    assert path.exists()
    assert archive.ingest() == [], "nobody has announced it yet"
    release_quarantined(archive.principal, archive.handover, INVALID)
    assert path.exists()
    assert trigger_of(path).is_symlink()
    assert list(place.parent.iterdir()) == []


def test_an_ingest_beside_a_release_does_not_lose_the_file(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged_raw(archive)
    content = path.read_bytes()
    archive.ingest()
    link = Path.symlink_to

    def announce_and_ingest(*arguments: Any) -> None:
        link(*arguments)
        monkeypatch.setattr(Path, "symlink_to", link)
        archive.ingest()

    monkeypatch.setattr(Path, "symlink_to", announce_and_ingest)
    release_quarantined(archive.principal, archive.handover, RAW)
    (again,) = list_quarantined(archive.principal, archive.handover)
    assert again.path.read_bytes() == content
    assert trigger_of(again.path).is_symlink()
    assert again.code == "file-damaged"


def test_a_killed_release_does_not_announce_what_is_being_written_there_since(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged_raw(archive)
    archive.ingest()
    with monkeypatch.context() as killed:
        killed.setattr(Path, "symlink_to", interrupt)
        with pytest.raises(KeyboardInterrupt):
            release_quarantined(archive.principal, archive.handover, RAW)
    (listed,) = list_quarantined(archive.principal, archive.handover)
    assert listed.path == path
    path.write_bytes(b"the telescope writes it anew")
    with pytest.raises(NotFound):
        release_quarantined(archive.principal, archive.handover, RAW)
    assert not trigger_of(path).is_symlink()


def test_a_place_that_is_announced_is_not_released_to(archive: Archive) -> None:
    path = damaged_raw(archive)
    archive.ingest()
    announce(path)
    with pytest.raises(Conflict):
        release_quarantined(archive.principal, archive.handover, RAW)
    assert (archive.handover / INVALID).exists()
    assert not path.exists()


def test_a_half_released_file_can_be_discarded(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    path = damaged_raw(archive)
    archive.ingest()
    with monkeypatch.context() as killed:
        killed.setattr(Path, "symlink_to", interrupt)
        with pytest.raises(KeyboardInterrupt):
            release_quarantined(archive.principal, archive.handover, RAW)
    discard_quarantined(archive.principal, archive.handover, RAW)
    assert [one for one in archive.handover.rglob("*") if not one.is_dir()] == []
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_named_and_the_file_waits(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = damaged_raw(archive)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        (result,) = archive.ingest()
    assert result.error is not None
    assert (result.outcome, result.error.code) == (IngestOutcome.WAITING, "quarantine-impossible")
    assert str(archive.handover) in result.error.next_step
    assert path.exists()


def test_what_lies_in_quarantine_is_not_announced(tmp_path: Path) -> None:
    for name in (INVALID, "quarantine/x.simtel"):
        announce(make_simtel(tmp_path / name))
    deeper = announce(make_simtel(tmp_path / "night/quarantine/y.simtel"))
    assert [one.trigger for one in find_handed(tmp_path).files] == [deeper]


def test_the_reason_of_an_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_simtel(tmp_path / "x.simtel")
    handed = HandedFile(tmp_path, announce(path))

    def unreadable(_: Path) -> None:
        raise DamagedFile("input/output error")

    monkeypatch.setattr("dpps.data.quarantine.read_content", unreadable)
    place = quarantine_file(handed, WRONG, NOW)
    reason = json.loads(place.with_name("x.simtel.reason.json").read_text())
    assert (reason["size_bytes"], reason["adler32"]) == (None, None)
