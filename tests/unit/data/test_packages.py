from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import bagit  # type: ignore[import-untyped]
import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.storage import MemoryStorage
from dpps.data.packages import (
    ExportParts,
    ExportSettings,
    ImportedFile,
    ImportParts,
    PackageKind,
    Profile,
    export_package,
    import_package,
    verify_package,
)
from dpps.data.ports import Catalogue, Registration, RegistrationOutcome
from dpps.domain.errors import (
    Conflict,
    DamagedFile,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    Unavailable,
)
from dpps.domain.files import FileContent, MetadataValue
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, Role
from tests.unit.data.conftest import Archive
from tests.unit.data.products import add_product

NOW = datetime(2026, 3, 1, tzinfo=UTC)
READER = Principal(name="ada", roles=frozenset({Role.READER}))
MANAGER = Principal(name="max", roles=frozenset({Role.PRODUCTION_MANAGER}))
RAW, DL3 = Lfn("/ctao/dpps/raw/p001/raw.fits"), Lfn("/ctao/dpps/dl3/p001/crab.fits")
RELEASED: dict[str, MetadataValue] = {
    "data__level": "DL3",
    "curation__rights": "public",
    "curation__release_date": "2026-02-01T00:00:00.000000000",
    "dpps__inputs": [RAW.name, "/ctao/dpps/gone/p001/lost.fits"],
}


@pytest.fixture
def products(archive: Archive) -> list[Lfn]:
    add_product(archive, RAW, b"raw" * 1000)
    add_product(archive, DL3, b"events", RELEASED)
    return [RAW, DL3]


def export(
    archive: Archive,
    lfns: list[Lfn],
    output: Path,
    *,
    principal: Principal = MANAGER,
    kind: PackageKind = PackageKind.DISSEMINATION,
    profile: Profile | None = None,
    dry_run: bool = False,
) -> Path:
    parts = ExportParts(catalogue=archive.catalogue, storage=archive.storage, policy=archive.policy)
    settings = ExportSettings(output=output, kind=kind, now=NOW, profile=profile, dry_run=dry_run)
    made = export_package(principal, parts, iter(lfns), settings)
    assert made.files == len(lfns)
    return made.path


def left(folder: Path) -> list[str]:
    """Return what packages left there, complete or not."""
    return sorted(one.name for one in folder.iterdir() if one.name != "handover")


@pytest.fixture
def elsewhere(archive: Archive) -> ImportParts:
    """Another archive, empty."""
    catalogue = MemoryCatalogue(
        [
            replace(element, url_prefix=f"memory://other/{element.rse}")
            for element in archive.catalogue.storage_elements()
        ]
    )
    return ImportParts(
        catalogue=catalogue,
        writer=lambda _action: catalogue,
        storage=MemoryStorage(),
        policy=archive.policy,
        rse="PIC",
        vo="ctao",
    )


def take(parts: ImportParts, path: Path, principal: Principal = MANAGER) -> list[ImportedFile]:
    return list(import_package(principal, parts, path))


@pytest.mark.parametrize("name", ["bag", "bag.tar"])
def test_the_same_products_are_elsewhere(
    archive: Archive, products: list[Lfn], elsewhere: ImportParts, tmp_path: Path, name: str
) -> None:
    path = export(archive, products, tmp_path / name, kind=PackageKind.ARCHIVAL)
    verified = verify_package(READER, path)
    assert (verified.files, verified.size_bytes, verified.kind) == (2, 3006, PackageKind.ARCHIVAL)
    assert verified.made_at == NOW
    assert [one.created for one in take(elsewhere, path)] == [True, True]
    before, after = archive.catalogue.files(products), elsewhere.catalogue.files(products)
    for here, there in zip(before, after, strict=True):
        assert here is not None
        assert there is not None
        assert (here.content, here.metadata, here.dataset) == (there.content, there.metadata, there.dataset)
        (replica,) = there.replicas
        assert elsewhere.storage.read_back(replica.pfn) == here.content
    assert [(one.created, one.error) for one in take(elsewhere, path)] == [(False, None)] * 2
    assert left(tmp_path) == [name]


def test_other_tools_find_the_bag_valid(archive: Archive, products: list[Lfn], tmp_path: Path) -> None:
    path = export(archive, products, tmp_path / "bag")
    bag = bagit.Bag(str(path))
    bag.validate()
    assert bag.info["OAIS-Package-Kind"] == "dip"
    record = json.loads((path / f"metadata{DL3}.json").read_text())
    assert record["rights"]["rights"] == "public"
    assert record["embargo_until"] == "2026-02-01T00:00:00.000000000"
    assert record["product"]["data__level"] == "DL3"
    lineage = json.loads((path / "provenance.json").read_text())["files"]
    assert {one["lfn"]: one["known"] for one in lineage} == {
        DL3.name: True,
        RAW.name: True,
        "/ctao/dpps/gone/p001/lost.fits": False,
    }


def test_embargoed_products_are_for_custodians(archive: Archive, tmp_path: Path) -> None:
    later = {**RELEASED, "curation__release_date": "2027-01-01T00:00:00.000000000"}
    add_product(archive, DL3, b"events", later)
    with pytest.raises(NotAuthorized, match="embargo until 2027-01-01"):
        export(archive, [DL3], tmp_path / "bag", principal=READER)
    assert left(tmp_path) == []
    export(archive, [DL3], tmp_path / "bag", principal=MANAGER)


def test_readers_make_dissemination_packages_only(
    archive: Archive, products: list[Lfn], tmp_path: Path
) -> None:
    export(archive, products, tmp_path / "dip", principal=READER)
    for kind in (PackageKind.SUBMISSION, PackageKind.ARCHIVAL):
        with pytest.raises(NotAuthorized, match=kind.value):
            export(archive, products, tmp_path / "bag", principal=READER, kind=kind)


def test_the_science_archive_gets_released_dl3_only(
    archive: Archive, products: list[Lfn], tmp_path: Path
) -> None:
    profile = Profile.SCIENCE_ARCHIVE
    with pytest.raises(InvalidInput, match=r"not DL3.*release_date"):
        export(archive, [RAW], tmp_path / "bag", profile=profile)
    export(archive, [DL3], tmp_path / "bag", profile=profile)
    assert "OAIS-Profile: science-archive" in (tmp_path / "bag/bag-info.txt").read_text()


def test_a_dry_run_checks_and_writes_nothing(
    archive: Archive, products: list[Lfn], elsewhere: ImportParts, tmp_path: Path
) -> None:
    export(archive, products, tmp_path / "bag", dry_run=True)
    assert left(tmp_path) == []
    with pytest.raises(NotFound):
        export(archive, [Lfn("/ctao/dpps/none/p001/x")], tmp_path / "bag", dry_run=True)
    path = export(archive, products, tmp_path / "bag")
    assert [one.created for one in import_package(MANAGER, elsewhere, path, dry_run=True)] == [True, True]
    assert elsewhere.catalogue.files(products) == [None, None]


def test_large_files_do_not_pile_up_in_the_temporary_folder(
    archive: Archive,
    products: list[Lfn],
    elsewhere: ImportParts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = export(archive, products, tmp_path / "bag.tar")
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    monkeypatch.setattr("dpps.data.packages.importing._BATCH_BYTES", 1)
    lying: list[int] = []
    for one in import_package(MANAGER, elsewhere, path):
        assert one.created
        lying.append(sum(file.is_file() for file in spool.rglob("*")))
    assert lying == [1, 1]
    assert list(spool.iterdir()) == []


def test_what_exists_is_not_overwritten_and_failures_leave_nothing(
    archive: Archive, products: list[Lfn], tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(Conflict):
        export(archive, products, tmp_path / "taken")
    archive.storage.files[archive.url("CSCS", RAW)] = b"rotten"
    with pytest.raises(DamagedFile, match="no good copy"):
        export(archive, products, tmp_path / "bag.tar")
    with pytest.raises(InvalidInput, match="no files"):
        export(archive, [], tmp_path / "bag")
    assert left(tmp_path) == ["taken"]


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def _relink(bag: Path) -> None:
    (bag / f"data{DL3}").unlink()
    (bag / f"data{DL3}").symlink_to("/etc/hostname")


def _retell(bag: Path) -> None:
    record = bag / f"metadata{DL3}.json"
    record.write_text(record.read_text().replace("crab.fits", "vela.fits"))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "byte": (lambda bag: (bag / f"data{DL3}").write_bytes(b"evonts"), "damaged"),
    "cut": (lambda bag: (bag / f"data{DL3}").write_bytes(b""), "damaged"),
    "lost": (lambda bag: (bag / f"data{DL3}").unlink(), "missing"),
    "added": (lambda bag: (bag / "data/more").write_bytes(b"x"), "not listed"),
    "record": (lambda bag: (bag / f"metadata{DL3}.json").unlink(), "missing"),
    "link": (_relink, "link"),
    "other name": (_retell, "another file"),
    "hidden": (lambda bag: (bag / "data/.x").write_bytes(b"x"), "no name"),
    "twice": (lambda bag: _append(bag / "manifest-sha256.txt", f"00  data{DL3}\n"), "twice|damaged"),
    "version": (lambda bag: (bag / "bagit.txt").write_text("BagIt-Version: 0.1\n"), "1.0"),
    "binary": (lambda bag: (bag / "bag-info.txt").write_bytes(b"\xff"), "no text"),
    "kind": (lambda bag: _append(bag / "bag-info.txt", "OAIS-Package-Kind: x\n"), "bag-info.txt"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_bag_is_refused_whole(
    archive: Archive, products: list[Lfn], elsewhere: ImportParts, tmp_path: Path, damage: str
) -> None:
    path = export(archive, products, tmp_path / "bag")
    spoil, told = DAMAGES[damage]
    spoil(path)
    with pytest.raises(DamagedFile, match=told) as caught:
        take(elsewhere, path)
    assert caught.value.next_step
    assert elsewhere.catalogue.files(products) == [None, None]
    assert list(elsewhere.storage.list_files("memory://other")) == []


@pytest.mark.parametrize(
    "name", ["../escape", "/etc/passwd", "bag/../../escape", "bag/data/../../x", "other/x"]
)
def test_hostile_names_in_a_tar_file_are_refused(
    archive: Archive, products: list[Lfn], elsewhere: ImportParts, tmp_path: Path, name: str
) -> None:
    path = export(archive, products, tmp_path / "bag.tar")
    extra = tmp_path / "extra"
    extra.write_text("x")
    with tarfile.open(path, "a") as tar:
        tar.add(extra, arcname=name)
    with pytest.raises(DamagedFile, match="refused"):
        take(elsewhere, path)
    assert not (tmp_path.parent / "escape").exists()


def test_links_and_cut_tar_files_are_refused(archive: Archive, products: list[Lfn], tmp_path: Path) -> None:
    path = export(archive, products, tmp_path / "bag.tar")
    cut = tmp_path / "cut.tar"
    cut.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DppsError):
        verify_package(READER, cut)
    link = tarfile.TarInfo("bag/data/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(path, "a") as tar:
        tar.addfile(link)
    with pytest.raises(DamagedFile, match="link"):
        verify_package(READER, path)
    with pytest.raises(NotFound):
        verify_package(READER, tmp_path / "none")


def test_names_taken_with_other_content_are_refused_one_by_one(
    archive: Archive, products: list[Lfn], elsewhere: ImportParts, tmp_path: Path
) -> None:
    path = export(archive, products, tmp_path / "bag")
    other = Archive(
        catalogue=elsewhere.catalogue,  # type: ignore[arg-type]
        storage=elsewhere.storage,  # type: ignore[arg-type]
        policy=archive.policy,
        handover=tmp_path,
        principal=archive.principal,
    )
    add_product(other, RAW, b"mine", rse="PIC", prefix="memory://other/PIC")
    results = {one.lfn: one for one in take(elsewhere, path)}
    assert isinstance(results[RAW].error, Conflict)
    assert results[DL3].created


def test_a_copy_that_comes_between_look_and_upload_is_not_replaced(
    archive: Archive,
    products: list[Lfn],
    elsewhere: ImportParts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = export(archive, products, tmp_path / "bag")
    storage = cast("MemoryStorage", elsewhere.storage)
    url, upload = f"memory://other/PIC{RAW}", storage.upload

    def beside_another(local: Path, aside: str) -> FileContent:
        storage.files.setdefault(url, b"published by somebody else meanwhile")
        return upload(local, aside)

    monkeypatch.setattr(storage, "upload", beside_another)
    results = {one.lfn: one for one in take(elsewhere, path)}
    assert isinstance(results[RAW].error, Conflict)
    assert results[DL3].created
    assert storage.files[url] == b"published by somebody else meanwhile"
    assert not [one for one in storage.files if "/tmp/" in one]


def test_a_damaged_copy_of_a_half_entered_file_is_written_anew(
    archive: Archive,
    products: list[Lfn],
    elsewhere: ImportParts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = export(archive, products, tmp_path / "bag")
    storage, catalogue = (
        cast("MemoryStorage", elsewhere.storage),
        cast("MemoryCatalogue", elsewhere.catalogue),
    )

    def dies(*_arguments: object) -> None:
        raise Unavailable("the importer is killed", code="catalogue-unavailable")

    with monkeypatch.context() as killed:
        killed.setattr(catalogue, "attach", dies)
        with pytest.raises(Unavailable):
            take(elsewhere, path)
    url = f"memory://other/PIC{RAW}"
    storage.files[url] = b"flipped"
    assert [one.error for one in take(elsewhere, path)] == [None, None]
    assert storage.files[url] == b"raw" * 1000


def test_each_scope_is_written_by_those_who_may(
    archive: Archive, elsewhere: ImportParts, tmp_path: Path
) -> None:
    telescope = Lfn("/ctao/acada/DL0/night/raw.fits")
    add_product(archive, telescope, b"raw")
    add_product(archive, DL3, b"events", RELEASED)
    path = export(archive, [telescope, DL3], tmp_path / "bag", kind=PackageKind.ARCHIVAL)
    written: dict[Action, list[Lfn]] = {}

    def writer(action: Action) -> Catalogue:
        def register(registrations: Sequence[Registration]) -> list[RegistrationOutcome]:
            written.setdefault(action, []).extend(one.lfn for one in registrations)
            return elsewhere.catalogue.register(registrations)

        return cast("Catalogue", Spied(elsewhere.catalogue, register))

    parts = replace(elsewhere, writer=writer)
    with pytest.raises(NotAuthorized) as refused:
        take(parts, path, MANAGER)
    assert (refused.value.identifiers["action"], written) == (Action.INGEST.value, {})
    assert "ingest" in refused.value.next_step

    both = Principal(name="eve", roles=frozenset({Role.PRODUCTION_MANAGER, Role.INGEST}))
    assert all(one.created for one in take(parts, path, both))
    assert written == {Action.INGEST: [telescope], Action.PUBLISH: [DL3]}


class Spied:
    """A catalogue whose registrations are seen."""

    def __init__(self, catalogue: Catalogue, register: Callable[..., list[RegistrationOutcome]]) -> None:
        self._catalogue = catalogue
        self.register = register

    def __getattr__(self, name: str) -> object:
        return getattr(self._catalogue, name)


def test_temporary_files_are_not_taken_for_ever(
    archive: Archive, elsewhere: ImportParts, tmp_path: Path
) -> None:
    temporary = Lfn("/ctao/tmp/ada/file.dat")
    add_product(archive, temporary, b"x")
    path = export(archive, [temporary], tmp_path / "bag")

    with pytest.raises(InvalidInput) as refused:
        take(elsewhere, path)
    assert refused.value.code == "package-temporary"


def test_the_principal_must_be_allowed_to_write_the_scope(
    archive: Archive, products: list[Lfn], elsewhere: ImportParts, tmp_path: Path
) -> None:
    path = export(archive, products, tmp_path / "bag")
    with pytest.raises(NotAuthorized):
        take(elsewhere, path, READER)
    with pytest.raises(InvalidInput, match="organisation"):
        take(replace(elsewhere, vo="other"), path)
    with pytest.raises(InvalidInput, match="NOWHERE"):
        take(replace(elsewhere, rse="NOWHERE"), path)
    shutil.rmtree(path)
