from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpps.adapters.memory.damage_reports import MemoryDamageReports
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.data.named_datasets import (
    NamedDataset,
    dataset_lfns,
    dataset_size,
    freeze_dataset,
    remove_dataset,
    save_dataset,
)
from dpps.data.ports import StorageElement
from dpps.data.query import find_files, find_page
from dpps.data.retrieval import RetrievalParts, RetrievalSettings, RetrievedFile, parse_nearness, retrieve
from dpps.data.selecting import Selection, selected_lfns
from dpps.domain.errors import Conflict, InvalidInput, NotAuthorized, NotFound, StorageFull
from dpps.domain.files import ArchivedFile, FileContent, Replica, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from tests.unit.data.conftest import Archive
from tests.unit.data.products import add_product
from tests.unit.data.test_packages import NOW, READER

TOP = "/ctao/dpps/many"
NAMES = [f"{TOP}/{folder}/{number}.fits" for folder in ("a", "b") for number in range(3)]


@pytest.fixture
def parts(archive: Archive) -> RetrievalParts:
    for number, name in enumerate(NAMES):
        add_product(archive, Lfn(name), f"file {number}".encode(), {"instance__obs_id": number})
    return RetrievalParts(catalogue=archive.catalogue, storage=archive.storage, reports=MemoryDamageReports())


def run(parts: RetrievalParts, archive: Archive, destination: Path, **options: object) -> list[RetrievedFile]:
    settings = RetrievalSettings(destination=destination, keep_paths=True, **options)  # type: ignore[arg-type]
    return list(retrieve(archive.principal, parts, map(Lfn, NAMES), settings))


def test_a_second_run_reads_nothing_again_but_what_was_touched(
    parts: RetrievalParts, archive: Archive, tmp_path: Path
) -> None:
    first = run(parts, archive, tmp_path / "out")
    assert {one.rse for one in first} == {"CSCS"}
    assert (tmp_path / f"out{NAMES[4]}").read_bytes() == b"file 4"
    (tmp_path / "out/.dpps-get/partial/left").mkdir(parents=True)
    (tmp_path / f"out{NAMES[0]}").unlink()
    touched = tmp_path / f"out{NAMES[1]}"
    touched.write_bytes(b"eaten!")
    os.utime(touched, ns=(1, 1))
    second = run(parts, archive, tmp_path / "out")
    assert [one.rse for one in second] == ["CSCS", None, None, None, None, None]
    assert isinstance(second[1].error, Conflict)
    assert not (tmp_path / "out/.dpps-get/partial").exists()


def test_a_manifest_cut_short_only_costs_reading(
    parts: RetrievalParts, archive: Archive, tmp_path: Path
) -> None:
    run(parts, archive, tmp_path / "out")
    (tmp_path / "out/.dpps-get/manifest.sqlite").write_bytes(b"no database at all, but long enough" * 100)
    assert {one.error for one in run(parts, archive, tmp_path / "out")} == {None}


def test_one_retrieval_at_a_time_fills_a_folder(
    parts: RetrievalParts, archive: Archive, tmp_path: Path
) -> None:
    settings = RetrievalSettings(destination=tmp_path / "out", keep_paths=True)
    running = retrieve(archive.principal, parts, map(Lfn, NAMES), settings)
    next(running)
    with pytest.raises(Conflict, match="another retrieval"):
        run(parts, archive, tmp_path / "out")
    running.close()
    run(parts, archive, tmp_path / "out")


def test_damaged_copies_are_reported_by_those_who_may(
    parts: RetrievalParts, archive: Archive, tmp_path: Path
) -> None:
    lfn = Lfn(NAMES[0])
    archive.storage.files[f"memory://PIC{lfn}"] = archive.storage.files[f"memory://CSCS{lfn}"]
    archive.catalogue.set_replica(lfn, "PIC", ReplicaState.AVAILABLE)
    archive.storage.files[f"memory://CSCS{lfn}"] = b"rotten"
    first = run(parts, archive, tmp_path / "auditor")[0]
    assert (first.rse, first.reported) == ("PIC", ("CSCS",))
    assert isinstance(parts.reports, MemoryDamageReports)
    assert [(one.lfn, one.rse) for one in parts.reports.copies] == [(lfn, "CSCS")]
    archive.principal = READER
    assert run(parts, archive, tmp_path / "reader")[0].reported == ()


def test_nothing_is_begun_that_does_not_fit(
    parts: RetrievalParts, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(StorageFull, match="36 bytes"):
        run(parts, archive, tmp_path / "out")
    assert not (tmp_path / "out/ctao").exists()


def test_wrong_settings_are_refused(parts: RetrievalParts, archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="same time"):
        run(parts, archive, tmp_path / "out", jobs=0)
    with pytest.raises(InvalidInput, match="no storage, site, country or position"):
        run(parts, archive, tmp_path / "out", near="Atlantis")


ELEMENTS = [
    StorageElement(
        rse=rse,
        onsite=onsite,
        url_prefix="memory://",
        attributes={"country": country, "latitude": str(place[0]), "longitude": str(place[1])},
    )
    for rse, onsite, country, place in (
        ("CSCS", False, "CH", (46.0, 9.0)),
        ("CTAO-NORTH", True, "ES", (28.8, -17.9)),
        ("DESY-ZEUTHEN", False, "DE", (52.3, 13.6)),
        ("PIC", False, "ES", (41.5, 2.1)),
    )
]


@pytest.mark.parametrize(
    ("near", "order"),
    [
        (None, ["CSCS", "DESY-ZEUTHEN", "PIC", "CTAO-NORTH"]),
        ("PIC", ["PIC", "CSCS", "DESY-ZEUTHEN", "CTAO-NORTH"]),
        ("de", ["DESY-ZEUTHEN", "CSCS", "PIC", "CTAO-NORTH"]),
        ("ctao-north", ["CTAO-NORTH", "PIC", "CSCS", "DESY-ZEUTHEN"]),
        ("52.5, 13.4", ["DESY-ZEUTHEN", "CSCS", "PIC", "CTAO-NORTH"]),
    ],
)
def test_the_nearest_copy_comes_first_and_on_site_last(near: str | None, order: list[str]) -> None:
    copies = [
        Replica(rse=one.rse, pfn="", state=ReplicaState.AVAILABLE, onsite=one.onsite) for one in ELEMENTS
    ]
    assert [one.rse for one in parse_nearness(near, ELEMENTS).nearest_first(copies)] == order


@pytest.mark.parametrize("near", ["95,0", "x,y", ""])
def test_what_is_nowhere_is_refused(near: str) -> None:
    with pytest.raises(InvalidInput):
        parse_nearness(near, ELEMENTS)


class ManyFiles:
    """A catalogue and storage of any number of files of one byte."""

    def files(self, lfns: list[Lfn]) -> list[ArchivedFile]:
        content = FileContent(size_bytes=1, adler32="00620062")
        copy = Replica(rse="PIC", pfn="x", state=ReplicaState.AVAILABLE, onsite=False)
        return [ArchivedFile(lfn=lfn, content=content, replicas=(copy,), dataset=lfn.parent) for lfn in lfns]


def test_memory_does_not_grow_with_the_number_of_files(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dpps.data.retrieval.fetching import Fetched

    target = tmp_path / "x"
    target.write_bytes(b"a")
    monkeypatch.setattr("dpps.data.retrieval.streaming.fetch", lambda *_: Fetched())
    monkeypatch.setattr("dpps.data.retrieval.streaming._Run._target", lambda *_: target)
    monkeypatch.setattr("dpps.data.retrieval.manifest.Manifest.knows", lambda *_: False)
    parts = RetrievalParts(catalogue=ManyFiles(), storage=archive.storage)  # type: ignore[arg-type]
    lfns = (Lfn(f"/ctao/dpps/many/{number}") for number in range(20_000))
    peaks = []
    tracemalloc.start()
    for number, _ in enumerate(
        retrieve(archive.principal, parts, lfns, RetrievalSettings(destination=tmp_path))
    ):
        if number in (2_000, 19_999):
            peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_selections_are_added_up(parts: RetrievalParts, archive: Archive) -> None:
    datasets = MemoryNamedDatasets()

    def select(*names: str, **options: str) -> list[str]:
        selection = Selection(names=iter(names), **options)
        return [str(one) for one in selected_lfns(archive.principal, parts.catalogue, datasets, selection)]

    assert select(NAMES[0], f"{TOP}/none.fits") == [NAMES[0], f"{TOP}/none.fits"]
    assert select(f"{TOP}/a/") == NAMES[:3]
    assert select("/ctao/**/1.fits", query="instance__obs_id > 4") == [NAMES[1], NAMES[4], NAMES[5]]
    wanted = NamedDataset(name="b-files", expression="", under=f"{TOP}/b", saved_at=NOW)
    save_dataset(archive.principal, datasets, wanted)
    assert select(dataset="b-files") == NAMES[3:]
    with pytest.raises(InvalidInput, match="no files are selected"):
        select()
    with pytest.raises(NotFound, match="nope"):
        select("/ctao/dpps/nope/*")
    with pytest.raises(NotFound, match="no named dataset"):
        select(dataset="none")


def test_pages_and_places_of_finding(parts: RetrievalParts, archive: Archive) -> None:
    def pages() -> Iterator[list[str]]:
        after: str | None = None
        while True:
            page = find_page(archive.principal, parts.catalogue, "", under=TOP, after=after, limit=4)
            yield [file.lfn.name for file in page.files]
            after = page.after
            if after is None:
                return

    assert list(pages()) == [NAMES[:4], NAMES[4:]]
    with pytest.raises(NotFound, match="/ctao/nope"):
        find_files(archive.principal, parts.catalogue, "", under="/ctao/nope")
    with pytest.raises(InvalidInput):
        find_files(archive.principal, parts.catalogue, "", under="nope")
    assert find_files(archive.principal, parts.catalogue, "instance__obs_id = 77", under=TOP) == []


def test_a_named_dataset_follows_the_archive_until_it_is_frozen(
    parts: RetrievalParts, archive: Archive
) -> None:
    datasets = MemoryNamedDatasets()
    wanted = NamedDataset(name="all", expression="instance__obs_id < 5", under=TOP, saved_at=NOW)
    saved = save_dataset(archive.principal, datasets, wanted)
    assert saved.owner == archive.principal.name
    assert save_dataset(archive.principal, datasets, wanted) == saved
    size = dataset_size(archive.principal, parts.catalogue, datasets, "all")
    assert (size.files, size.size_bytes, size.missing) == (5, 30, 0)
    frozen = freeze_dataset(archive.principal, parts.catalogue, datasets, "all", NOW)
    assert frozen.digest is not None
    assert freeze_dataset(archive.principal, parts.catalogue, datasets, "all", NOW) == frozen
    add_product(archive, Lfn(f"{TOP}/c/new.fits"), b"new", {"instance__obs_id": 1})
    listed = [one.name for one in dataset_lfns(archive.principal, parts.catalogue, datasets, "all")]
    assert listed == NAMES[:5]


def test_named_datasets_of_others_stay(parts: RetrievalParts, archive: Archive) -> None:
    datasets = MemoryNamedDatasets()
    wanted = NamedDataset(name="mine", expression="", under=TOP, saved_at=NOW)
    save_dataset(archive.principal, datasets, wanted)
    eve = Principal(name="eve", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized):
        remove_dataset(eve, datasets, "mine")
    with pytest.raises(NotAuthorized):
        freeze_dataset(eve, parts.catalogue, datasets, "mine", NOW)
    remove_dataset(archive.principal, datasets, "mine")
    with pytest.raises(NotFound):
        remove_dataset(archive.principal, datasets, "mine")


@pytest.mark.parametrize(
    "wrong", [{"name": "../x"}, {"expression": "nonsense"}, {"under": "x"}, {"description": "x" * 1001}]
)
def test_malformed_datasets_are_refused(archive: Archive, wrong: dict[str, str]) -> None:
    told = {"name": "ok", "expression": "", **wrong}
    with pytest.raises(InvalidInput):
        save_dataset(archive.principal, MemoryNamedDatasets(), NamedDataset(saved_at=NOW, **told))  # type: ignore[arg-type]
