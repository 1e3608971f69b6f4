from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpps.data.handover import find_handed, signature_of
from dpps.data.ingest.refusals import RefusedFiles
from dpps.data.ingest.values import IngestOutcome
from dpps.data.query import EVERYTHING
from dpps.domain.errors import (
    Conflict,
    DamagedFile,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    StorageFull,
    Unavailable,
)
from dpps.domain.files import FileContent, ReplicaState
from dpps.domain.principals import Principal, Role
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel
from tests.unit.data.conftest import Archive

RAW = "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14/TEL001_SDH0001_20260214T213000_CHUNK002.fits.fz"


def test_a_simulated_file_is_named_described_copied_and_attached(archive: Archive) -> None:
    path = make_simtel(archive.handover / "any/run10.simtel.zst")
    trigger = announce(path)
    (result,) = archive.ingest()
    assert result.outcome is IngestOutcome.INGESTED
    assert result.lfn is not None
    assert result.lfn.name == (
        "/ctao/dpps/SimPipe/handover/CTAO-North/SIM/Event/gamma/node-nsb01.0-zen020.0-az180.0/p001/"
        "sim_evt_sub_AirShowerSim_ob0000000010_gamma_nsb01.0_zen020.0_az180.0.simtel.zst"
    )
    (file,) = archive.catalogue.files([result.lfn])
    assert file is not None
    assert file.dataset == result.lfn.parent
    assert file.metadata["data__level"] == "SIM"
    assert file.metadata["dpps__assumed"] == ["instance__site_id", "simulation__node__nsb_factor"]
    assert archive.storage.files[archive.url("CTAO-NORTH", result.lfn)] == path.read_bytes()
    assert max(rule.copies for rule in archive.catalogue.rules(file.dataset)) == 2
    assert not trigger.is_symlink()
    assert path.exists()


def test_a_raw_stream_keeps_the_name_of_the_telescopes_software(archive: Archive) -> None:
    announce(make_raw_stream(archive.handover / RAW))
    (result,) = archive.ingest()
    assert result.error is None
    assert str(result.lfn) == f"/{RAW}"
    (file,) = archive.catalogue.files([result.lfn]) if result.lfn else [None]
    assert file is not None
    told = file.metadata
    assert told["instance__obs_id"] == told["obs_id"] == 2000000200
    assert told["acquisition__sb_id"] == told["sb_id"] == 2000000066
    assert told["observatory"] == "CTAO"
    assert told["start_time"] == "2026-02-14T21:30:00.000000000"
    assert told["end_time"] == "2026-02-14T21:31:00.500000000"
    assert told["instance__chunk_id"] == 2
    assert told["instance__observing_night"] == "2026-02-14"
    assert told["instance__site_id"] == "CTAO-North"
    assert told["valid_fits_checksum"] is True


def test_a_file_without_trigger_is_left_alone(archive: Archive) -> None:
    make_simtel(archive.handover / "run10.simtel")
    assert archive.ingest() == []


def test_an_empty_file_is_a_trigger_too(archive: Archive) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    path.with_name("run10.simtel.trigger").touch()
    assert [one.outcome for one in archive.ingest()] == [IngestOutcome.INGESTED]


def test_path_or_option_tell_the_array_site(archive: Archive) -> None:
    announce(make_simtel(archive.handover / "ctao-south/run1.simtel", run=1))
    announce(make_simtel(archive.handover / "run2.simtel", run=2))
    results = archive.ingest(array_site="CTAO-South")
    assert {one.rse for one in results} == {"CTAO-SOUTH"}
    assert all("/CTAO-South/" in str(one.lfn) for one in results)


def test_an_unknown_array_site_is_refused(archive: Archive) -> None:
    announce(make_simtel(archive.handover / "run1.simtel"))
    (result,) = archive.ingest(array_site="Mars")
    assert isinstance(result.error, InvalidInput)
    assert "Mars" in result.error.message


def test_a_dry_run_changes_nothing(archive: Archive) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    trigger = announce(path)
    assert [one.outcome for one in archive.ingest(dry_run=True)] == [IngestOutcome.ACCEPTED]
    assert trigger.is_symlink()
    assert archive.storage.files == {}
    assert archive.catalogue.find(EVERYTHING) == []


def test_a_dry_run_tells_what_would_be_quarantined(archive: Archive) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    path.write_bytes(path.read_bytes()[:-20])
    trigger = announce(path)
    (result,) = archive.ingest(dry_run=True)
    assert result.outcome is IngestOutcome.UNFIT
    assert isinstance(result.error, DamagedFile)
    assert path.exists()
    assert trigger.is_symlink()


def test_handing_over_again_is_known_and_does_not_bring_a_freed_copy_back(archive: Archive) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    announce(path)
    (first,) = archive.ingest()
    assert first.lfn is not None
    archive.storage.delete(archive.url("CTAO-NORTH", first.lfn))
    archive.catalogue.remove_replica(first.lfn, "CTAO-NORTH")
    trigger = announce(path)
    (again,) = archive.ingest()
    assert again.outcome is IngestOutcome.KNOWN
    assert not trigger.is_symlink()
    assert archive.storage.files == {}
    (file,) = archive.catalogue.files([first.lfn])
    assert file is not None
    assert file.replicas == ()


@pytest.mark.parametrize("damage", [b"other bytes", None])
def test_handing_the_original_over_again_mends_a_damaged_on_site_copy(
    archive: Archive, damage: bytes | None
) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    announce(path)
    (first,) = archive.ingest()
    assert first.lfn is not None
    url = archive.url("CTAO-NORTH", first.lfn)
    if damage is None:
        del archive.storage.files[url]
    else:
        archive.storage.files[url] = damage
    announce(path)
    assert [one.outcome for one in archive.ingest()] == [IngestOutcome.KNOWN]
    assert archive.storage.files == {url: path.read_bytes()}


def test_handed_over_files_are_removed_only_on_request(archive: Archive) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    announce(path)
    archive.ingest(remove_handed_over=True)
    assert not path.exists()


def test_files_of_one_name_and_other_content_conflict_and_both_are_named(archive: Archive) -> None:
    announce(make_simtel(archive.handover / "a.simtel", run=10))
    announce(make_simtel(archive.handover / "b.simtel", run=10, events=1))
    kept, refused = archive.ingest()[::-1]
    assert kept.outcome is IngestOutcome.INGESTED
    assert isinstance(refused.error, Conflict)
    assert "a.simtel" in refused.error.message
    assert "b.simtel" in refused.error.message
    (later,) = archive.ingest()
    assert isinstance(later.error, Conflict)


@pytest.mark.parametrize(
    ("name", "kind", "outcome"),
    [
        ("unknown.dat", InvalidInput, IngestOutcome.REFUSED),
        ("ctao/acada/R1/x/raw.fits.fz", InvalidInput, IngestOutcome.REFUSED),
        ("other/acada/DL0/x/raw.fits.fz", InvalidInput, IngestOutcome.REFUSED),
        ("raw.fits.fz", InvalidInput, IngestOutcome.REFUSED),
        ("ctao/acada/DL0/a b/raw.fits.fz", InvalidInput, IngestOutcome.REFUSED),
        ("gone.simtel", NotFound, IngestOutcome.WAITING),
    ],
)
def test_files_that_cannot_be_taken_are_named_and_keep_their_trigger(
    archive: Archive, name: str, kind: type[DppsError], outcome: IngestOutcome
) -> None:
    path = archive.handover / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not name.startswith("gone"):
        path.write_bytes(b"")
    trigger = announce(path)
    good = announce(make_simtel(archive.handover / "good.simtel"))
    results = {one.path.name: one for one in archive.ingest()}
    refused = results[path.name]
    assert isinstance(refused.error, kind)
    assert str(path) in refused.error.message
    assert refused.outcome is outcome
    assert trigger.is_symlink()
    assert results["good.simtel"].outcome is IngestOutcome.INGESTED
    assert not good.is_symlink()


def test_links_that_leave_the_folder_are_refused(archive: Archive, tmp_path: Path) -> None:
    outside = make_simtel(tmp_path / "outside.simtel")
    (archive.handover / "link.simtel").symlink_to(outside)
    announce(archive.handover / "link.simtel")
    inside = make_simtel(archive.handover / "inside.simtel")
    (archive.handover / "other.simtel.trigger").symlink_to(inside.name)
    (archive.handover / "other.simtel").write_bytes(b"x")
    results = archive.ingest()
    assert [type(one.error) for one in results] == [InvalidInput, InvalidInput]
    assert archive.storage.files == {}


def test_a_missing_folder_is_named(archive: Archive) -> None:
    archive.handover.rmdir()
    with pytest.raises(InvalidInput, match=str(archive.handover)):
        archive.ingest()


def test_the_principal_must_be_allowed(archive: Archive) -> None:
    archive.principal = Principal(name="guest", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        archive.ingest()


def test_a_raw_file_written_on_site_is_registered_in_place(archive: Archive) -> None:
    path = make_raw_stream(archive.handover / RAW)
    announce(path)
    archive.storage.files[f"memory://CTAO-NORTH/{RAW}"] = path.read_bytes()
    (result,) = archive.ingest(in_place_rse="CTAO-NORTH", remove_handed_over=True)
    assert result.outcome is IngestOutcome.INGESTED
    assert path.exists()
    assert list(archive.storage.files) == [f"memory://CTAO-NORTH/{RAW}"]


def test_a_file_that_changes_in_place_while_it_is_read_is_refused_and_not_touched(archive: Archive) -> None:
    path = make_raw_stream(archive.handover / RAW)
    announce(path)
    archive.storage.files[f"memory://CTAO-NORTH/{RAW}"] = b"other bytes"
    (result,) = archive.ingest(in_place_rse="CTAO-NORTH")
    assert result.outcome is IngestOutcome.WAITING
    assert result.error is not None
    assert result.error.code == "handed-file-changed"
    assert archive.storage.files == {f"memory://CTAO-NORTH/{RAW}": b"other bytes"}


@pytest.mark.parametrize("step", ["register", "ensure_rule", "attach"])
def test_a_pass_that_dies_at_any_step_is_finished_by_the_next(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    trigger = announce(make_simtel(archive.handover / "run10.simtel"))

    def die(*_: object) -> Any:
        raise Unavailable("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(archive.catalogue, step, die)
        with pytest.raises(Unavailable):
            archive.ingest()
    assert trigger.is_symlink()
    assert archive.catalogue.find(EVERYTHING) == []
    (result,) = archive.ingest()
    assert result.outcome is IngestOutcome.INGESTED
    assert archive.catalogue.find(EVERYTHING) == [result.lfn]
    assert len(archive.storage.files) == 1


def test_files_of_a_full_storage_wait_and_those_of_others_do_not(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    triggers = [announce(make_simtel(archive.handover / f"run{n}.simtel", run=n)) for n in range(3)]
    announce(make_simtel(archive.handover / "ctao-south/run9.simtel", run=9))
    upload, asked = archive.storage.upload, []

    def full(path: Path, url: str) -> FileContent:
        asked.append(url)
        if "CTAO-NORTH" in url:
            raise StorageFull("no room at CTAO-NORTH")
        return upload(path, url)

    monkeypatch.setattr(archive.storage, "upload", full)
    results = archive.ingest()
    assert [one.outcome for one in results if one.rse is None] == [IngestOutcome.WAITING] * 3
    assert {type(one.error) for one in results if one.rse is None} == {StorageFull}
    assert [one.outcome for one in results if one.rse == "CTAO-SOUTH"] == [IngestOutcome.INGESTED]
    assert len(asked) == 2  # a storage that failed is not tried again in the same pass
    assert all(trigger.is_symlink() for trigger in triggers)


def test_what_was_not_taken_waits_longer_and_longer_until_something_changes(archive: Archive) -> None:
    now = [0.0]
    path = archive.handover / "run10.simtel"
    path.write_bytes(b"")
    announce(path)
    (handed,) = find_handed(archive.handover).files
    memory = RefusedFiles(lambda: now[0])
    waits: list[float] = []
    for _ in range(8):
        memory.remember(handed, signature_of(handed), Unavailable("later"))
        begun = now[0]
        while memory.recall(handed) is not None:
            now[0] += 0.5
        waits.append(now[0] - begun)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    memory.remember(handed, signature_of(handed), InvalidInput("someone must act"))
    now[0] += 599
    assert isinstance(memory.recall(handed), InvalidInput)
    assert [path for path, _ in memory.listing()] == [path]
    make_simtel(path)
    assert memory.recall(handed) is None
    memory.forget(handed)
    assert memory.listing() == []
    memory.remember(handed, signature_of(handed), InvalidInput("someone must act"))
    memory.keep([handed])
    assert memory.recall(handed) is not None
    memory.keep([])
    assert memory.recall(handed) is None, "its trigger was removed by hand"


def test_a_stray_file_with_the_name_is_not_overwritten(archive: Archive) -> None:
    trigger = announce(make_simtel(archive.handover / "run10.simtel"))
    (planned,) = archive.ingest(dry_run=True)
    assert planned.lfn is not None
    url = archive.url("CTAO-NORTH", planned.lfn)
    archive.storage.files[url] = b"of another pass, not registered yet"
    (result,) = archive.ingest()
    assert isinstance(result.error, Conflict)
    assert archive.storage.files == {url: b"of another pass, not registered yet"}
    assert trigger.is_symlink()


def test_another_pass_that_comes_first_is_not_overwritten(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(make_simtel(archive.handover / "run10.simtel"))
    (planned,) = archive.ingest(dry_run=True)
    assert planned.lfn is not None
    url = archive.url("CTAO-NORTH", planned.lfn)
    upload = archive.storage.upload

    def late(path: Path, destination: str) -> FileContent:
        archive.storage.files[url] = b"of another pass, just written"
        return upload(path, destination)

    monkeypatch.setattr(archive.storage, "upload", late)
    (result,) = archive.ingest()
    assert isinstance(result.error, Conflict)
    assert archive.storage.files == {url: b"of another pass, just written"}


@pytest.mark.parametrize("state", [ReplicaState.BAD, ReplicaState.AVAILABLE])
def test_a_handed_over_file_outlives_an_archive_without_a_good_copy(
    archive: Archive, state: ReplicaState
) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    announce(path)
    (first,) = archive.ingest()
    assert first.lfn is not None
    archive.catalogue.set_replica(first.lfn, "CTAO-NORTH", state)
    archive.storage.files[archive.url("CTAO-NORTH", first.lfn)] = b"rotten"
    trigger = announce(path)
    (again,) = archive.ingest(remove_handed_over=True)
    assert isinstance(again.error, DamagedFile)
    assert path.exists()
    assert trigger.is_symlink()


def test_a_known_file_is_removed_where_a_good_copy_exists(archive: Archive) -> None:
    path = make_simtel(archive.handover / "run10.simtel")
    announce(path)
    archive.ingest()
    announce(path)
    (again,) = archive.ingest(remove_handed_over=True)
    assert again.outcome is IngestOutcome.KNOWN
    assert not path.exists()
