"""Moves one file: everything that is done under one claim."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from dpps.data.transfers.decisions import decide
from dpps.data.transfers.failures import End, Failure, FailureClass
from dpps.data.transfers.ports import TransferStorage
from dpps.data.transfers.records import Claim, Settlement
from dpps.data.transfers.states import FileState
from dpps.domain.errors import DppsError, InvalidInput, NotAuthorized, NotFound, StorageFull, Unavailable
from dpps.domain.files import FileContent

__all__ = ["Abandoned", "AttemptFailed", "attempt", "failure_of", "transfer"]

_ADLER32: Final = re.compile(r"(?i:adler32):([0-9a-fA-F]{1,8})")


class Abandoned(Exception):
    """Raised by ``proceed`` to end a copy: canceled, lost to another worker, or this worker stops."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__(settlement.reason)
        self.settlement = settlement


class AttemptFailed(DppsError):
    """An attempt failed for a reason that the mover itself found."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason, code=failure.kind, next_step="see the reason")
        self.failure = failure


def transfer(
    claim: Claim, storage: TransferStorage, proceed: Callable[[], None], clock: Callable[[], datetime]
) -> tuple[Settlement, Failure | None]:
    """Move one file and return how its claim ends, with the failure when there was one.

    Nothing of this attempt or of interrupted ones stays behind under a temporary name.
    """
    try:
        return attempt(claim, storage, proceed), None
    except Abandoned as abandoned:
        settlement, failure = abandoned.settlement, None
    except DppsError as error:
        failure = failure_of(error, claim)
        settlement = decide(failure, claim, clock())
    return _cleaned(settlement, claim, storage), failure


def attempt(claim: Claim, storage: TransferStorage, proceed: Callable[[], None]) -> Settlement:
    """Make one attempt.

    Raises
    ------
    Abandoned
        From ``proceed``.
    AttemptFailed, DppsError
        Why it failed.
    """
    destination = claim.request.destination
    _remove_leftovers(claim, storage)
    if claim.cancel_requested:
        return Settlement(state=FileState.CANCELED, reason="canceled on request")
    proceed()
    expected = _expected(claim, storage)
    if expected is not None and (present := _content_at(destination, storage)) is not None:
        if present == expected:
            return Settlement(
                state=FileState.FINISHED, reason="the destination held these bytes already", found=present
            )
        if not claim.overwrite:
            raise AttemptFailed(_in_the_way(destination, present))
    read, written = storage.copy_aside(claim.source, destination, claim.token(), proceed)
    _check(claim, read or _at_source(claim, written, storage), written)
    proceed()
    storage.publish(destination, claim.token())
    return Settlement(state=FileState.FINISHED, found=written)


def failure_of(error: DppsError, claim: Claim) -> Failure:
    """Return the class of an error that an attempt ended with."""
    if isinstance(error, AttemptFailed):
        return error.failure
    end = End.SOURCE if error.identifiers.get("url") in claim.request.sources else End.DESTINATION
    kind = _kind(error, end)
    return Failure(kind=kind, reason=f"{kind.value}: {error.message}", permanent=not error.retryable, end=end)


def _kind(error: DppsError, end: End) -> FailureClass:
    if isinstance(error, InvalidInput):
        return FailureClass.UNSUPPORTED
    if isinstance(error, NotAuthorized) or error.code == "storage-access-denied":
        return FailureClass.PERMISSION
    if isinstance(error, Unavailable):
        return FailureClass.NETWORK
    if end is End.SOURCE:
        return FailureClass.SOURCE_MISSING if isinstance(error, NotFound) else FailureClass.SOURCE_READ
    return FailureClass.DESTINATION_FULL if isinstance(error, StorageFull) else FailureClass.DESTINATION_WRITE


def _expected(claim: Claim, storage: TransferStorage) -> FileContent | None:
    """Return what the destination must hold, or None when nothing is there that it could be compared to."""
    checksum = _adler32(claim)
    if storage.size_bytes(claim.request.destination) is None:
        return None
    if checksum is None or claim.request.size_bytes is None:
        return storage.read_back(claim.source)
    return FileContent(size_bytes=claim.request.size_bytes, adler32=checksum)


def _at_source(claim: Claim, written: FileContent, storage: TransferStorage) -> FileContent:
    """Return what the source holds, of which a third-party copy tells nothing.

    When what was asked for has arrived, the source holds it too. Else the source is read, to know which
    end is at fault.
    """
    checksum, size_bytes = _adler32(claim), claim.request.size_bytes
    if checksum is not None and written == FileContent(size_bytes=size_bytes or 0, adler32=checksum):
        return written
    return storage.read_back(claim.source)


def _adler32(claim: Claim) -> str | None:
    if not claim.verify_checksum or not claim.request.checksum:
        return None
    match = _ADLER32.fullmatch(claim.request.checksum)
    if match is None:
        raise AttemptFailed(
            Failure(
                kind=FailureClass.UNSUPPORTED,
                reason=f"unsupported: checksum {claim.request.checksum!r}; this service verifies ADLER32:…",
            )
        )
    return match[1].lower().zfill(8)


def _content_at(url: str, storage: TransferStorage) -> FileContent | None:
    try:
        return storage.read_back(url)
    except NotFound:
        return None


def _in_the_way(destination: str, present: FileContent) -> Failure:
    # Rucio looks for these words: with them it compares the file found with the one it wants.
    return Failure(
        kind=FailureClass.DESTINATION_EXISTS,
        reason=f"Destination file exists and overwrite is not enabled: {destination} holds "
        f"{present.size_bytes} bytes, adler32 {present.adler32}",
        found=present,
    )


def _check(claim: Claim, read: FileContent, written: FileContent) -> None:
    checksum, size_bytes = _adler32(claim), claim.request.size_bytes
    if (checksum is not None and read.adler32 != checksum) or size_bytes not in {None, read.size_bytes}:
        asked = (
            f"{size_bytes if size_bytes is not None else 'any number of'} bytes, adler32 {checksum or 'any'}"
        )
        raise AttemptFailed(
            Failure(
                kind=FailureClass.SOURCE_CHECKSUM,
                end=End.SOURCE,
                reason=f"SOURCE CHECKSUM MISMATCH: {claim.source} holds {read.size_bytes} bytes, adler32 "
                f"{read.adler32}; asked for {asked}",
            )
        )
    if written != read:
        raise AttemptFailed(
            Failure(
                kind=FailureClass.DESTINATION_CHECKSUM,
                reason=f"DESTINATION CHECKSUM MISMATCH: wrote {read.size_bytes} bytes, adler32 "
                f"{read.adler32}; read back {written.size_bytes} bytes, adler32 {written.adler32}",
            )
        )


def _remove_leftovers(claim: Claim, storage: TransferStorage) -> None:
    """Remove what interrupted claims on this file left."""
    for number in range(1, claim.number):
        storage.discard(claim.request.destination, claim.token(number))


def _cleaned(settlement: Settlement, claim: Claim, storage: TransferStorage) -> Settlement:
    """Remove this attempt's copy; where the storage refuses, the reason says so.

    A next claim on the file tries again; after the last one only the reason is left.
    """
    try:
        storage.discard(claim.request.destination, claim.token())
    except DppsError as error:
        note = f"; what it wrote may be left as {claim.token()}: {error.message}"
        return replace(settlement, reason=settlement.reason + note)
    return settlement
