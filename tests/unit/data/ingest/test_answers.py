"""Each thing that can be wrong with what is handed over has its answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dpps.data.handover import find_handed, trigger_of
from dpps.data.ingest.values import IngestedFile, IngestOutcome
from dpps.data.ports import Inspection, ReplicationRule
from dpps.data.query import EVERYTHING
from dpps.domain.errors import DamagedFile, DppsError, StorageFull, Unavailable
from dpps.domain.names import Lfn
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel
from tests.unit.data.conftest import Archive

RAW = "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/TEL001_SDH0001_20260214T213000_CHUNK002.fits.fz"


def answer(archive: Archive, **options: object) -> IngestedFile:
    (result,) = archive.ingest(**options)
    return result


def code_of(result: IngestedFile) -> str:
    assert result.error is not None
    return result.error.code


def test_a_trigger_before_its_file_waits_and_the_file_is_taken_when_it_comes(archive: Archive) -> None:
    path = archive.handover / RAW
    path.parent.mkdir(parents=True)
    announce(path)
    early = answer(archive)
    assert (early.outcome, code_of(early)) == (IngestOutcome.WAITING, "handed-file-missing")
    make_raw_stream(path)
    assert answer(archive).outcome is IngestOutcome.INGESTED


def while_reading(monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], object]) -> None:
    """Let something happen to a file after it was inspected."""
    from dpps.adapters.zfits.inspector import ZfitsInspector

    inspect = ZfitsInspector.inspect

    def slowly(self: ZfitsInspector, path: Path) -> Inspection:
        try:
            return inspect(self, path)
        finally:
            act(path)

    monkeypatch.setattr(ZfitsInspector, "inspect", slowly)


@pytest.mark.parametrize("in_place", [None, "CTAO-NORTH"])
def test_a_file_that_is_still_written_is_not_taken(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, in_place: str | None
) -> None:
    path = make_raw_stream(archive.handover / RAW)
    announce(path)
    archive.storage.files[f"memory://CTAO-NORTH/{RAW}"] = path.read_bytes()
    with monkeypatch.context() as patch:
        while_reading(patch, lambda one: one.write_bytes(one.read_bytes() + b"more"))
        growing = answer(archive, in_place_rse=in_place)
    assert (growing.outcome, code_of(growing)) == (IngestOutcome.WAITING, "handed-file-changed")
    assert archive.catalogue.find(EVERYTHING) == []
    assert path.exists()


def test_a_half_written_file_is_not_condemned_while_it_grows(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_raw_stream(archive.handover / RAW).read_bytes()
    path = archive.handover / RAW
    path.write_bytes(whole[:2880])
    announce(path)
    with monkeypatch.context() as patch:
        while_reading(patch, lambda one: one.write_bytes(whole))
        growing = answer(archive)
    assert (growing.outcome, code_of(growing)) == (IngestOutcome.WAITING, "handed-file-changed")
    assert answer(archive).outcome is IngestOutcome.INGESTED


def test_data_replaced_before_registration_are_not_registered(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_raw_stream(archive.handover / RAW)
    announce(path)
    files = archive.catalogue.files

    def replaced(lfns: object) -> object:
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").replace(path)
        return files(lfns)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(archive.catalogue, "files", replaced)
        late = answer(archive)
    assert (late.outcome, code_of(late)) == (IngestOutcome.WAITING, "handed-file-changed")
    assert archive.catalogue.find(EVERYTHING) == []
    assert answer(archive).outcome is IngestOutcome.INGESTED


def test_data_replaced_after_registration_are_seen_to_be_other_content(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_raw_stream(archive.handover / RAW)
    announce(path)
    attach = archive.catalogue.attach

    def replaced(*arguments: object) -> None:
        attach(*arguments)  # type: ignore[arg-type]
        path.unlink()
        make_raw_stream(path, events=9)

    with monkeypatch.context() as patch:
        patch.setattr(archive.catalogue, "attach", replaced)
        late = answer(archive)
    assert (late.outcome, code_of(late)) == (IngestOutcome.WAITING, "handed-file-changed")
    taken = answer(archive)
    assert (taken.outcome, code_of(taken)) == (IngestOutcome.REFUSED, "lfn-taken")
    assert trigger_of(path).is_symlink()


def test_a_damaged_file_has_time_to_become_whole_where_someone_watches(archive: Archive) -> None:
    path = archive.handover / "x.simtel"
    path.write_bytes(b"")
    announce(path)
    unsettled = answer(archive, settle_seconds=3600.0)
    assert (unsettled.outcome, code_of(unsettled)) == (IngestOutcome.WAITING, "handed-file-unsettled")
    make_simtel(path)
    assert answer(archive, settle_seconds=3600.0).outcome is IngestOutcome.INGESTED


def test_a_folder_named_like_a_trigger_is_listed(archive: Archive) -> None:
    (archive.handover / "night.trigger").mkdir()
    announce(make_simtel(archive.handover / "night.trigger/run1.simtel"))
    listed, inside = archive.ingest()
    assert (listed.outcome, code_of(listed)) == (IngestOutcome.REFUSED, "trigger-is-folder")
    assert listed.path == archive.handover / "night.trigger"
    assert inside.outcome is IngestOutcome.INGESTED


def test_a_trigger_that_announces_a_folder_is_refused(archive: Archive) -> None:
    (archive.handover / "night.simtel").mkdir()
    announce(archive.handover / "night.simtel")
    refused = answer(archive)
    assert (refused.outcome, code_of(refused)) == (IngestOutcome.REFUSED, "handed-not-a-file")


@pytest.mark.parametrize("name", ["..trigger", ".trigger", "...trigger"])
def test_a_trigger_without_a_name_is_refused(archive: Archive, name: str) -> None:
    (archive.handover / name).touch()
    refused = answer(archive)
    assert (refused.outcome, code_of(refused)) == (IngestOutcome.REFUSED, "trigger-invalid")


def test_the_message_about_a_misplaced_file_names_it_as_it_was_handed_over(archive: Archive) -> None:
    path = make_raw_stream(archive.handover / "raw.fits.fz")
    announce(path)
    refused = answer(archive)
    assert code_of(refused) == "handover-path-invalid"
    assert refused.error is not None
    assert refused.error.message.startswith(f"{path}: raw data belong under ctao/<scope>/DL0/")
    assert path.exists()


def test_a_name_that_is_no_text_is_refused_in_words(archive: Archive) -> None:
    folder = archive.handover / "ctao/acada/DL0/x"
    folder.mkdir(parents=True)
    for name in (b"\xff.fits.fz", b"\xff.fits.fz.trigger"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    refused = answer(archive)
    assert (refused.outcome, code_of(refused)) == (IngestOutcome.REFUSED, "lfn-invalid")


def test_an_unreadable_folder_does_not_end_the_pass(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(make_simtel(archive.handover / "good.simtel"))
    closed = archive.handover / "closed"
    closed.mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(closed))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    problem, good = archive.ingest()
    assert (problem.outcome, code_of(problem)) == (IngestOutcome.WAITING, "handover-folder-unreadable")
    assert problem.path == closed
    assert good.outcome is IngestOutcome.INGESTED


def test_a_file_without_permission_waits(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(make_simtel(archive.handover / "x.simtel"))

    def refuse(_self: object, path: Path) -> Inspection:
        raise DamagedFile(f"{path}: Permission denied", code="file-unreadable", next_step="chmod")

    monkeypatch.setattr("dpps.adapters.eventio.simtel.SimtelInspector.inspect", refuse)
    waiting = answer(archive)
    assert (waiting.outcome, code_of(waiting)) == (IngestOutcome.WAITING, "file-unreadable")


def test_an_inspection_that_fails_in_a_new_way_costs_its_file_only(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(make_simtel(archive.handover / "x.simtel"))
    announce(make_raw_stream(archive.handover / RAW))

    def fail(_self: object, path: Path) -> Inspection:
        raise RecursionError("too deep")

    monkeypatch.setattr("dpps.adapters.eventio.simtel.SimtelInspector.inspect", fail)
    results = {one.path.name: one for one in archive.ingest()}
    assert code_of(results["x.simtel"]) == "inspection-failed"
    assert results["x.simtel"].outcome is IngestOutcome.WAITING
    assert results[Path(RAW).name].outcome is IngestOutcome.INGESTED


def test_a_trigger_that_cannot_be_removed_is_told_and_the_file_is_known_next_time(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(make_simtel(archive.handover / "x.simtel"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        told = answer(archive)
    assert (told.outcome, code_of(told)) == (IngestOutcome.WAITING, "trigger-not-removable")
    assert answer(archive).outcome is IngestOutcome.KNOWN


def test_a_freed_file_that_is_handed_over_in_place_again_is_registered_there_again(archive: Archive) -> None:
    path = make_raw_stream(archive.handover / RAW)
    archive.storage.files[f"memory://CTAO-NORTH/{RAW}"] = path.read_bytes()
    announce(path)
    first = answer(archive, in_place_rse="CTAO-NORTH")
    assert first.lfn is not None
    archive.catalogue.remove_replica(first.lfn, "CTAO-NORTH")
    announce(path)
    assert answer(archive, in_place_rse="CTAO-NORTH").outcome is IngestOutcome.INGESTED
    (file,) = archive.catalogue.files([first.lfn])
    assert file is not None
    assert [one.rse for one in file.replicas] == ["CTAO-NORTH"]


def test_a_catalogue_that_is_down_ends_the_pass_and_nothing_is_lost(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    triggers = [announce(make_simtel(archive.handover / f"{n}.simtel", run=n)) for n in range(3)]

    def down(*_: object) -> None:
        raise Unavailable("the catalogue does not answer")

    for method in ("storage_elements", "files", "register", "ensure_rule", "attach"):
        with monkeypatch.context() as patch:
            patch.setattr(archive.catalogue, method, down)
            with pytest.raises(Unavailable):
                archive.ingest()
    assert all(trigger.is_symlink() for trigger in triggers)
    assert [one.outcome for one in archive.ingest()] == [IngestOutcome.INGESTED] * 3


def test_a_missing_top_folder_is_an_error_and_nothing_is_asked_of_the_catalogue(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_handed(archive.handover).files == []
    monkeypatch.setattr(archive.catalogue, "storage_elements", lambda: pytest.fail("nothing is announced"))
    assert archive.ingest() == []
    archive.handover.rmdir()
    with pytest.raises(DppsError, match="there is no hand-over folder"):
        archive.ingest()


def test_what_the_catalogue_refuses_for_one_dataset_is_the_answer_of_its_files_alone(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = (RAW.replace("/14/", f"/{day}/") for day in ("15", "16"))
    for name in (good, bad):
        announce(make_raw_stream(archive.handover / name))
    ensure = archive.catalogue.ensure_rule

    def refuse(rule: ReplicationRule) -> str:
        if "/16" in rule.dataset:
            raise StorageFull("the quota of the account is used up", code="catalogue-storage-full")
        return ensure(rule)

    with monkeypatch.context() as patch:
        patch.setattr(archive.catalogue, "ensure_rule", refuse)
        found = {one.path.parent.name: one for one in archive.ingest()}
    assert found["15"].outcome is IngestOutcome.INGESTED
    assert found["16"].outcome is IngestOutcome.WAITING
    assert found["16"].error is not None
    assert "quota" in found["16"].error.message
    assert archive.catalogue.find(EVERYTHING) == [Lfn(f"/{good}")]
    assert [one.outcome for one in archive.ingest()] == [IngestOutcome.INGESTED]
    assert len(archive.catalogue.find(EVERYTHING)) == 2
