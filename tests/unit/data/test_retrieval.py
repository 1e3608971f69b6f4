from __future__ import annotations

from pathlib import Path

import pytest

from dpps.data.retrieval import RetrievedFile, get_files
from dpps.domain.errors import Conflict, DamagedFile, InvalidInput, NotAuthorized, NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.conftest import Archive


@pytest.fixture
def lfn(archive: Archive) -> Lfn:
    announce(make_simtel(archive.handover / "run10.simtel"))
    (result,) = archive.ingest()
    assert result.lfn is not None
    archive.replicate(result.lfn, "CSCS", "PIC")
    return result.lfn


def get(archive: Archive, destination: Path, *lfns: Lfn, near: str | None = None) -> list[RetrievedFile]:
    return get_files(archive.principal, archive.catalogue, archive.storage, lfns, destination, near=near)


def test_offsite_copies_come_first_and_a_preferred_one_before(
    archive: Archive, lfn: Lfn, tmp_path: Path
) -> None:
    (result,) = get(archive, tmp_path / "a/b", lfn)
    assert (result.rse, result.path) == ("CSCS", tmp_path / "a/b" / lfn.basename)
    assert (tmp_path / "a/b" / lfn.basename).read_bytes() == (archive.handover / "run10.simtel").read_bytes()
    (near,) = get(archive, tmp_path / "c", lfn, near="CTAO-NORTH")
    assert near.rse == "CTAO-NORTH"


def test_damaged_copies_are_passed_over(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    archive.storage.files[archive.url("CSCS", lfn)] = b"rotten"
    archive.storage.delete(archive.url("PIC", lfn))
    (result,) = get(archive, tmp_path / "out", lfn)
    assert result.rse == "CTAO-NORTH"
    assert [reason.split(":")[0] for reason in result.passed_over] == ["CSCS", "PIC"]


def test_without_a_good_copy_nothing_appears(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    for rse in ("CTAO-NORTH", "CSCS", "PIC"):
        archive.storage.files[archive.url(rse, lfn)] = b"rotten"
    (result,) = get(archive, tmp_path / "out", lfn)
    assert isinstance(result.error, DamagedFile)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_there_is_kept_or_a_conflict(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    get(archive, tmp_path, lfn)
    (again,) = get(archive, tmp_path, lfn)
    assert (again.error, again.rse) == (None, None)
    (tmp_path / lfn.basename).write_bytes(b"mine")
    (other,) = get(archive, tmp_path, lfn)
    assert isinstance(other.error, Conflict)
    assert (tmp_path / lfn.basename).read_bytes() == b"mine"


def test_a_link_in_the_way_is_not_followed(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    destination = tmp_path / "out"
    destination.mkdir()
    (destination / lfn.basename).symlink_to(tmp_path / "elsewhere")
    (result,) = get(archive, destination, lfn)
    assert isinstance(result.error, Conflict)
    assert not (tmp_path / "elsewhere").exists()


def test_unknown_files_are_answered_in_order(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    absent, there = get(archive, tmp_path, Lfn("/ctao/dpps/none/x.dat"), lfn)
    assert isinstance(absent.error, NotFound)
    assert there.error is None


def test_two_names_with_one_path_are_refused(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="same path"):
        get(archive, tmp_path, Lfn("/ctao/dpps/a/x.dat"), Lfn("/ctao/dpps/b/x.dat"))


def test_a_file_as_destination_is_refused(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="-o"):
        get(archive, tmp_path / "file", lfn)
    with pytest.raises(InvalidInput, match="folder"):
        get(archive, tmp_path / "file/below", lfn)


def test_the_principal_must_be_allowed(archive: Archive, lfn: Lfn, tmp_path: Path) -> None:
    archive.principal = Principal(name="nobody", roles=frozenset())
    with pytest.raises(NotAuthorized):
        get(archive, tmp_path, lfn)
