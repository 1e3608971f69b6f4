"""One file under one claim: what arrives, what is left, what is said."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dpps.adapters.memory.storage import MemoryStorage
from dpps.data.transfers.decisions import FailureClass
from dpps.data.transfers.mover import Abandoned, transfer
from dpps.data.transfers.records import Claim, FileRequest, Settlement
from dpps.data.transfers.states import FileState
from dpps.domain.errors import Conflict, DppsError, NotAuthorized, StorageFull, Unavailable
from dpps.domain.files import FileContent

SOURCE, DESTINATION = "memory://a/x", "memory://b/x"
DATA = b"the bytes"
NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)


def _nothing() -> None:
    pass


def _clock() -> datetime:
    return NOW


def _claim(**values: Any) -> Claim:
    request = FileRequest(
        sources=(SOURCE,),
        destination=DESTINATION,
        checksum=values.pop("checksum", f"ADLER32:{zlib.adler32(DATA):08x}"),
        size_bytes=values.pop("size_bytes", len(DATA)),
    )
    claim = Claim(
        file_id=7,
        number=1,
        worker=1,
        request=request,
        source_position=0,
        attempts=0,
        overwrite=False,
        verify_checksum=True,
        cancel_requested=False,
    )
    return replace(claim, **values)


@pytest.fixture
def storage() -> MemoryStorage:
    storage = MemoryStorage()
    storage.files[SOURCE] = DATA
    return storage


def test_the_bytes_arrive(storage: MemoryStorage) -> None:
    settlement, failure = transfer(_claim(), storage, _nothing, _clock)

    assert failure is None
    assert settlement.state is FileState.FINISHED
    assert settlement.found == FileContent(size_bytes=len(DATA), adler32=f"{zlib.adler32(DATA):08x}")
    assert storage.files[DESTINATION] == DATA
    assert not storage.copies


@pytest.mark.parametrize(
    "values", [{"checksum": None}, {"size_bytes": None}, {"checksum": "adler32:2"}], ids=str
)
def test_less_may_be_known_of_the_file(storage: MemoryStorage, values: dict[str, Any]) -> None:
    storage.files[SOURCE] = b"\x00\x01" if values.get("checksum") else DATA
    expected = storage.files[SOURCE]
    if values.get("checksum"):
        values = {"checksum": f"adler32:{zlib.adler32(expected):x}", "size_bytes": 2}

    settlement, _ = transfer(_claim(**values), storage, _nothing, _clock)

    assert settlement.state is FileState.FINISHED
    assert storage.files[DESTINATION] == expected


@pytest.mark.parametrize("values", [{}, {"checksum": None}, {"size_bytes": None}], ids=str)
def test_what_is_there_already_is_not_copied_again(storage: MemoryStorage, values: dict[str, Any]) -> None:
    storage.files[DESTINATION] = DATA

    def no_copy(*arguments: object) -> None:
        raise AssertionError("copied again")

    storage.copy_aside = no_copy  # type: ignore[method-assign, assignment]
    settlement, failure = transfer(_claim(**values), storage, _nothing, _clock)

    assert (settlement.state, failure) == (FileState.FINISHED, None)


def test_other_content_stays_unless_overwriting(storage: MemoryStorage) -> None:
    storage.files[DESTINATION] = b"theirs"

    settlement, failure = transfer(_claim(), storage, _nothing, _clock)

    assert failure is not None
    assert failure.kind is FailureClass.DESTINATION_EXISTS
    assert settlement.state is FileState.FAILED
    assert settlement.found is not None
    assert settlement.found.size_bytes == 6
    assert storage.files[DESTINATION] == b"theirs"

    assert transfer(_claim(overwrite=True), storage, _nothing, _clock)[0].state is FileState.FINISHED
    assert storage.files[DESTINATION] == DATA


def test_wrong_bytes_at_the_source_are_not_published(storage: MemoryStorage) -> None:
    storage.files[SOURCE] = b"The bytes"

    settlement, failure = transfer(_claim(overwrite=True), storage, _nothing, _clock)

    assert failure is not None
    assert failure.kind is FailureClass.SOURCE_CHECKSUM
    assert settlement.state is FileState.FAILED
    assert DESTINATION not in storage.files
    assert not storage.copies


def test_bytes_damaged_on_the_way_are_copied_again(storage: MemoryStorage) -> None:
    honest = storage.copy_aside

    def damaging(*arguments: Any) -> tuple[FileContent, FileContent]:
        read, written = honest(*arguments)
        return read, replace(written, adler32="00000000")

    storage.copy_aside = damaging  # type: ignore[method-assign, assignment]
    settlement, failure = transfer(_claim(), storage, _nothing, _clock)

    assert failure is not None
    assert failure.kind is FailureClass.DESTINATION_CHECKSUM
    assert settlement.state is FileState.SUBMITTED
    assert DESTINATION not in storage.files
    assert not storage.copies


@pytest.mark.parametrize(
    ("error", "kind", "state"),
    [
        (StorageFull("full", url=DESTINATION), FailureClass.DESTINATION_FULL, FileState.SUBMITTED),
        (Conflict("in the way", url=DESTINATION), FailureClass.DESTINATION_WRITE, FileState.FAILED),
        (Unavailable("no answer", url=DESTINATION), FailureClass.NETWORK, FileState.SUBMITTED),
        (Unavailable("no answer", url=SOURCE), FailureClass.NETWORK, FileState.SUBMITTED),
        (NotAuthorized("who are you", url=SOURCE), FailureClass.PERMISSION, FileState.FAILED),
        (
            Unavailable("denied", url=SOURCE, retryable=False, code="storage-access-denied"),
            FailureClass.PERMISSION,
            FileState.FAILED,
        ),
    ],
    ids=str,
)
def test_accidents_are_classed_by_the_end_that_failed(
    storage: MemoryStorage, error: DppsError, kind: FailureClass, state: FileState
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    storage.copy_aside = fail  # type: ignore[method-assign, assignment]
    settlement, failure = transfer(_claim(), storage, _nothing, _clock)

    assert failure is not None
    assert (failure.kind, settlement.state) == (kind, state)
    assert error.message in settlement.reason


def test_a_lost_source_is_said(storage: MemoryStorage) -> None:
    del storage.files[SOURCE]
    settlement, failure = transfer(_claim(), storage, _nothing, _clock)
    assert failure is not None
    assert failure.kind is FailureClass.SOURCE_MISSING
    assert SOURCE in settlement.reason


def test_leftovers_of_interrupted_claims_are_removed(storage: MemoryStorage) -> None:
    claim = _claim(number=3)
    for number in (1, 2):
        storage.copies[DESTINATION, claim.token(number)] = b"half"

    transfer(claim, storage, _nothing, _clock)

    assert not storage.copies


def test_a_canceled_file_is_cleaned_and_not_moved(storage: MemoryStorage) -> None:
    claim = _claim(number=2, cancel_requested=True)
    storage.copies[DESTINATION, claim.token(1)] = b"half"

    settlement, _ = transfer(claim, storage, _nothing, _clock)

    assert settlement.state is FileState.CANCELED
    assert not storage.copies
    assert DESTINATION not in storage.files


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_abandoning_at_any_step_leaves_nothing(storage: MemoryStorage, step: int) -> None:
    wanted = Settlement(state=FileState.SUBMITTED, reason="the service stopped", counted=False)

    settlement, failure = transfer(_claim(), storage, _abandon_at(step, wanted), _clock)

    assert (settlement, failure) == (wanted, None)
    assert not storage.copies
    assert DESTINATION not in storage.files


def test_what_cannot_be_removed_is_said(storage: MemoryStorage) -> None:
    def refuse(destination_url: str, token: str) -> None:
        raise Unavailable("the disk is gone", url=destination_url)

    storage.discard = refuse  # type: ignore[method-assign]
    settlement, _ = transfer(_claim(checksum="MD5:1"), storage, _nothing, _clock)

    assert "transfer-7-1" in settlement.reason
    assert "the disk is gone" in settlement.reason


def _abandon_at(step: int, settlement: Settlement) -> Callable[[], None]:
    calls = iter(range(1, 100))

    def proceed() -> None:
        if next(calls) == step:
            raise Abandoned(settlement)

    return proceed
