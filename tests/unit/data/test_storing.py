"""Storing files of people: names, scopes, metadata, repetition, death in between, and lifetimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.storage import MemoryStorage
from dpps.adapters.memory.temporary import MemoryTemporaryKeeper
from dpps.adapters.zfits.inspector import ZfitsInspector
from dpps.data.policy import load_policy
from dpps.data.storing import (
    FileToStore,
    StoredFile,
    StoreOutcome,
    StoreParts,
    StoreSettings,
    store_files,
)
from dpps.data.temporary import ExtendedFile, extend_lifetime
from dpps.domain.errors import (
    Conflict,
    DamagedFile,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    Unavailable,
)
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.products.submitted import product_type_keys
from dpps.testing.handed_files import make_raw_stream
from dpps.testing.storages import storage_element

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
DL3: Mapping[str, object] = {
    **product_type_keys("DL3/Event/Subarray/AirShower"),
    "instance": {"site_id": "CTAO-North", "obs_id": 7, "facility_name": "CTAO"},
    "curation": {"release": "DataPipe/Observation"},
    "model": {"name": "GADF", "version": "0.3"},
}


@dataclass
class Desk:
    """An archive in memory and a folder with files of someone."""

    folder: Path
    catalogue: MemoryCatalogue
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    now: datetime = NOW
    roles: frozenset[Role] = frozenset(Role)

    def __post_init__(self) -> None:
        self.keeper = MemoryTemporaryKeeper(
            lambda: self.now, lambda lfn: self.catalogue.files([lfn]) != [None]
        )

    @property
    def principal(self) -> Principal:
        return Principal(name="jane", roles=self.roles)

    def file(
        self, name: str = "one.fits", data: bytes = b"events", *, lfn: str | None = None, **metadata: object
    ) -> FileToStore:
        path = self.folder / name
        path.write_bytes(data)
        return FileToStore(path=path, metadata={**DL3, **metadata}, lfn=lfn)

    def temporary(self, name: str, data: bytes = b"scratch", lfn: str | None = None) -> FileToStore:
        path = self.folder / name
        path.write_bytes(data)
        return FileToStore(path=path, lfn=lfn)

    def store(self, *files: FileToStore, rse: str = "CSCS", **options: Any) -> list[StoredFile]:
        parts = StoreParts(
            catalogue=self.catalogue,
            storage=self.storage,
            policy=load_policy(),
            keeper=self.keeper,
            inspectors=[ZfitsInspector()],
            clock=lambda: self.now,
        )
        return store_files(self.principal, parts, StoreSettings(vo="ctao", rse=rse, **options), files)

    def visible(self) -> list[Lfn]:
        """Return what readers see."""
        return [lfn for dataset in self.catalogue.datasets() for lfn in self.catalogue.members(dataset)]

    def extend(self, lfns: Sequence[Lfn], lifetime: timedelta) -> list[ExtendedFile]:
        return extend_lifetime(self.principal, self.catalogue, self.keeper, lfns, lifetime)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    sites = ("CTAO-NORTH", "CTAO-SOUTH", "CSCS", "PIC", "FRASCATI")
    return Desk(tmp_path, MemoryCatalogue([storage_element(rse, f"memory://{rse}") for rse in sites]))


def only(results: list[StoredFile]) -> StoredFile:
    (result,) = results
    return result


def refusal(result: StoredFile, kind: type[DppsError]) -> DppsError:
    assert result.outcome is StoreOutcome.REFUSED
    assert isinstance(result.error, kind)
    assert result.error.next_step
    return result.error


def test_a_product_gets_the_name_of_the_data_model_rules_and_metadata(desk: Desk) -> None:
    result = only(desk.store(desk.file()))
    assert result.outcome is StoreOutcome.STORED
    assert result.lfn is not None
    assert result.lfn.name.startswith("/ctao/dpps/")
    assert result.lfn.name.endswith(".fits")
    assert "/p001/" in result.lfn.name
    assert desk.storage.files == {f"memory://CSCS{result.lfn}": b"events"}
    (archived,) = desk.catalogue.files([result.lfn])
    assert archived is not None
    assert archived.metadata["instance__obs_id"] == 7
    assert archived.metadata["dpps__pass"] == 1
    assert [rule.copies for rule in desk.catalogue.rules(result.lfn.parent)] == [1, 2]
    assert desk.visible() == [result.lfn]


def test_storing_again_changes_nothing_and_another_pass_is_another_name(desk: Desk) -> None:
    first = only(desk.store(desk.file()))
    before = dict(desk.storage.files)
    again = only(desk.store(desk.file()))
    assert (again.outcome, again.lfn) == (StoreOutcome.KNOWN, first.lfn)
    assert desk.storage.files == before
    other = only(desk.store(desk.file(), pass_number=2))
    assert other.outcome is StoreOutcome.STORED
    assert other.lfn != first.lfn


def test_a_name_with_other_content_is_never_used_again(desk: Desk) -> None:
    desk.store(desk.file())
    error = refusal(only(desk.store(desk.file(data=b"others"))), Conflict)
    assert error.code == "lfn-taken"
    assert list(desk.storage.files.values()) == [b"events"]


def test_bytes_that_the_catalogue_does_not_know_are_not_overwritten(desk: Desk) -> None:
    lfn = "/ctao/dpps/people/jane/x.fits"
    desk.storage.files[f"memory://CSCS{lfn}"] = b"stranger"
    refusal(only(desk.store(desk.file(lfn=lfn))), Conflict)
    assert desk.storage.files == {f"memory://CSCS{lfn}": b"stranger"}


@pytest.mark.parametrize("step", ["upload", "rename", "register", "ensure_rule", "attach"])
@pytest.mark.parametrize("temporary", [False, True])
def test_dying_at_any_step_leaves_what_the_same_call_finishes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str, temporary: bool
) -> None:
    if temporary and step == "ensure_rule":
        step = "keep"
    files = [desk.temporary("a"), desk.temporary("b")] if temporary else [desk.file()]
    options: dict[str, Any] = {"lifetime": WEEK} if temporary else {}

    def die(*_: object) -> Any:
        raise Unavailable("killed here")

    with monkeypatch.context() as patch:
        target: object = desk.storage if step in ("upload", "rename") else desk.catalogue
        patch.setattr(desk.keeper if step == "keep" else target, step, die)
        with pytest.raises(Unavailable):
            desk.store(*files, **options)
    assert desk.visible() == []
    results = desk.store(*files, **options)
    assert {one.outcome for one in results} == {StoreOutcome.STORED}
    assert set(desk.storage.files) == {f"memory://CSCS{one.lfn}" for one in results}


def test_every_wrong_key_is_named(desk: Desk) -> None:
    wrong = desk.file(data__level="DL9", telescop=1)
    error = refusal(only(desk.store(wrong)), InvalidInput)
    assert {"data__level", "telescop"} <= set(error.identifiers["keys"])  # type: ignore[call-overload]
    assert not desk.storage.files


def test_one_bad_file_does_not_stop_the_others(desk: Desk) -> None:
    good, bad = desk.file("a.fits"), desk.file("b.fits", instance__obs_id=8, telescop=1)
    empty, absent = desk.file("c.fits", b"", instance__obs_id=9), FileToStore(path=desk.folder / "absent")
    outcomes = [one.outcome for one in desk.store(bad, good, empty, absent)]
    assert outcomes == [
        StoreOutcome.REFUSED,
        StoreOutcome.STORED,
        StoreOutcome.REFUSED,
        StoreOutcome.REFUSED,
    ]


def test_two_files_of_one_call_cannot_share_a_name(desk: Desk) -> None:
    results = desk.store(desk.file("a.fits"), desk.file("b.fits", b"others"))
    assert [one.outcome for one in results] == [StoreOutcome.STORED, StoreOutcome.REFUSED]
    assert refusal(results[1], InvalidInput).code == "lfn-ambiguous"


@pytest.mark.parametrize(
    "lfn",
    [
        "/ctao/dpps/../acada/x.fits",
        "/ctao/dpps/.hidden/x.fits",
        "dpps/x.fits",
        "/other/dpps/a/x.fits",
        "/ctao/dpps/a/x\n.fits",
        "/ctao/dpps/" + "x" * 250,
        "/ctao/tmp/jane/x.fits",
    ],
)
def test_hostile_and_foreign_names_are_refused(desk: Desk, lfn: str) -> None:
    refusal(only(desk.store(desk.file(lfn=lfn))), InvalidInput)
    assert not desk.storage.files


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_no_name_leads_out_of_its_scope(desk: Desk, name: str) -> None:
    before = set(desk.storage.files)
    result = only(desk.store(desk.file(lfn=f"/ctao/dpps/{name}")))
    for url in set(desk.storage.files) - before:
        assert url.startswith("memory://CSCS/ctao/dpps/")
        assert ".." not in url.split("/")
    if result.outcome is StoreOutcome.REFUSED:
        assert set(desk.storage.files) == before


@pytest.mark.parametrize(
    ("roles", "lfn", "lifetime", "allowed"),
    [
        ({Role.PRODUCTION_MANAGER}, "/ctao/dpps/people/jane/x.fits", None, True),
        ({Role.PRODUCTION_MANAGER}, "/ctao/acada/DL0/x.fits.fz", None, False),
        ({Role.PRODUCTION_MANAGER}, "/ctao/tmp/jane/x", WEEK, True),
        ({Role.INGEST}, "/ctao/dpps/people/jane/x.fits", None, False),
        ({Role.INGEST}, "/ctao/tmp/jane/x", WEEK, True),
        ({Role.READER}, "/ctao/dpps/people/jane/x.fits", None, False),
        ({Role.READER}, "/ctao/tmp/jane/x", WEEK, False),
    ],
)
def test_each_scope_has_its_writers(
    desk: Desk, roles: set[Role], lfn: str, lifetime: timedelta | None, allowed: bool
) -> None:
    desk.roles = frozenset(roles)
    result = only(desk.store(desk.file(lfn=lfn), lifetime=lifetime))
    if allowed:
        assert result.outcome is StoreOutcome.STORED
    else:
        refusal(result, NotAuthorized)
        assert not desk.storage.files


def test_the_archive_scope_takes_only_what_an_inspector_has_read(desk: Desk) -> None:
    result = only(desk.store(desk.file("x.dat", lfn="/ctao/acada/DL0/x.dat")))
    assert refusal(result, InvalidInput).code == "file-kind-unknown"
    damaged = only(desk.store(desk.file("x.fits.fz", b"no FITS", lfn="/ctao/acada/DL0/x.fits.fz")))
    assert damaged.outcome is StoreOutcome.REFUSED
    assert not desk.storage.files


RAW_LFN = "/ctao/acada/DL0/x.fits.fz"


def raw(desk: Desk, **metadata: object) -> FileToStore:
    return FileToStore(
        path=make_raw_stream(desk.folder / "x.fits.fz", obs_id=7), metadata=metadata, lfn=RAW_LFN
    )


def test_what_enters_the_archive_is_what_the_inspector_has_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, upload = raw(desk), desk.storage.upload

    def after_a_change(path: Path, url: str) -> FileContent:
        path.write_bytes(b"rewritten between inspection and upload")
        return upload(path, url)

    with monkeypatch.context() as changing:
        changing.setattr(desk.storage, "upload", after_a_change)
        assert refusal(only(desk.store(file)), DamagedFile).code == "file-changed"
    assert not desk.storage.files
    assert desk.visible() == []
    file.path.unlink()
    assert only(desk.store(raw(desk))).outcome is StoreOutcome.STORED


def test_metadata_do_not_override_what_a_file_says_of_itself(desk: Desk) -> None:
    error = refusal(only(desk.store(raw(desk, instance={"obs_id": 8}))), InvalidInput)
    assert error.code == "metadata-contradicts"
    assert "instance__obs_id is 7, not 8" in error.message
    assert not desk.storage.files
    (desk.folder / "x.fits.fz").unlink()
    agreeing = raw(desk, instance={"obs_id": 7}, description="told by hand")
    assert only(desk.store(agreeing)).outcome is StoreOutcome.STORED


def test_a_dry_run_checks_and_does_nothing(desk: Desk) -> None:
    results = desk.store(desk.file(), desk.file("b.fits", telescop=1), dry_run=True)
    assert [one.outcome for one in results] == [StoreOutcome.ACCEPTED, StoreOutcome.REFUSED]
    assert not desk.storage.files
    assert desk.visible() == []


def test_a_dataset_of_another_scope_or_storage_is_refused(desk: Desk) -> None:
    file = desk.file()
    foreign = FileToStore(path=file.path, metadata=file.metadata, dataset="/ctao/acada/DL0")
    refusal(only(desk.store(foreign)), InvalidInput)
    with pytest.raises(InvalidInput, match="NOWHERE"):
        desk.store(file, rse="NOWHERE")
    own = FileToStore(path=file.path, metadata=file.metadata, dataset="/ctao/dpps/people/jane")
    result = only(desk.store(own))
    assert desk.catalogue.members("/ctao/dpps/people/jane") == [result.lfn]


def test_catalogue_calls_grow_with_batches_not_with_files(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("files", "register", "attach", "storage_elements", "ensure_rule"):
        method = getattr(desk.catalogue, name)

        def counted(*arguments: Any, _name: str = name, _method: Any = method) -> Any:
            calls.append(_name)
            return _method(*arguments)

        monkeypatch.setattr(desk.catalogue, name, counted)
    files = [desk.file(f"{number}.fits", instance__chunk_id=number) for number in range(600)]
    names = [
        FileToStore(path=one.path, metadata=one.metadata, lfn=f"/ctao/dpps/people/jane/{one.path.name}")
        for one in files
    ]
    assert {one.outcome for one in desk.store(*names)} == {StoreOutcome.STORED}
    assert len(calls) < 30


def test_a_temporary_file_needs_no_metadata_and_has_an_end(desk: Desk) -> None:
    result = only(desk.store(desk.temporary("scratch.h5"), lifetime=WEEK))
    assert result.outcome is StoreOutcome.STORED
    assert result.lfn == Lfn("/ctao/tmp/jane/files/scratch.h5")
    assert result.expires_at == NOW + WEEK
    assert desk.visible() == [result.lfn]
    assert desk.catalogue.rules("/ctao/tmp/jane/files") == []


def test_a_temporary_file_is_not_stored_for_ever_or_elsewhere(desk: Desk) -> None:
    for lifetime in (timedelta(0), timedelta(days=-1), timedelta(days=4000)):
        with pytest.raises(InvalidInput):
            desk.store(desk.temporary("x"), lifetime=lifetime)
    refusal(only(desk.store(desk.temporary("x", lfn="/ctao/dpps/x/x"), lifetime=WEEK)), InvalidInput)


def test_storing_a_temporary_file_again_keeps_it_longer(desk: Desk) -> None:
    desk.store(desk.temporary("x"), lifetime=WEEK)
    desk.now = NOW + timedelta(days=3)
    again = only(desk.store(desk.temporary("x"), lifetime=WEEK))
    assert (again.outcome, again.expires_at) == (StoreOutcome.KNOWN, NOW + timedelta(days=10))


def test_the_time_of_temporary_files_is_put_off(desk: Desk) -> None:
    lfn = only(desk.store(desk.temporary("x"), lifetime=WEEK)).lfn
    product = only(desk.store(desk.file())).lfn
    assert lfn is not None
    assert product is not None
    unknown = Lfn("/ctao/tmp/jane/unknown")
    extended, refused, absent = desk.extend([lfn, product, unknown], 3 * WEEK)
    assert extended.expires_at == NOW + 3 * WEEK
    assert isinstance(refused.error, InvalidInput)
    assert isinstance(absent.error, NotFound)
    (planned,) = extend_lifetime(
        desk.principal, desk.catalogue, desk.keeper, [lfn], timedelta(days=1), dry_run=True
    )
    assert (planned.expires_at, planned.error) == (None, None)
    assert set(desk.keeper.expiries.values()) == {NOW + 3 * WEEK}
    desk.roles = frozenset({Role.READER})
    with pytest.raises(NotAuthorized):
        desk.extend([lfn], WEEK)
