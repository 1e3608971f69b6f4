"""Bringing the bytes of a file to their final name at one storage."""

from __future__ import annotations

import uuid

from dpps.data.fixity import read_content
from dpps.data.ports import Registration
from dpps.data.storing.values import Candidate, StoreCall, StoredFile, StoreOutcome, refused, result
from dpps.data.temporary import TEMPORARY_SCOPE
from dpps.domain.errors import Conflict, DamagedFile, DppsError, StorageFull
from dpps.domain.files import FileContent

__all__ = ["place"]


def place(call: StoreCall, candidate: Candidate) -> StoredFile | None:
    """Bring the bytes to their final name; a result when nothing is left to do."""
    try:
        if call.settings.dry_run:
            _check_known(candidate)
            return result(call, candidate, StoreOutcome.ACCEPTED, candidate.size_bytes)
        known = candidate.known
        if known is not None and known.dataset is not None and call.settings.lifetime is None:
            _check_known(candidate)
            return result(call, candidate, StoreOutcome.KNOWN, candidate.size_bytes)
        content = _brought(call, candidate)
    except StorageFull:
        raise  # the others need the same room
    except DppsError as error:
        if error.retryable:
            raise
        return refused(candidate.file, error, candidate.product.lfn)
    candidate.registration = Registration(
        lfn=candidate.product.lfn,
        rse=call.settings.rse,
        content=content,
        metadata=candidate.product.metadata,
        dataset=candidate.product.dataset,
    )
    return None


def _check_known(candidate: Candidate) -> None:
    if candidate.known is not None and read_content(candidate.file.path) != candidate.known.content:
        raise _taken(candidate, "a file in the archive")


def _brought(call: StoreCall, candidate: Candidate) -> FileContent:
    """Make sure that the storage holds the local file's bytes under the final name; return what they are."""
    storage, path = call.parts.storage, candidate.file.path
    url = call.url_prefix + candidate.product.lfn.name
    _check_known(candidate)
    if storage.size_bytes(url) is not None:
        content = read_content(path)
        _check_unchanged(candidate, content)
        if storage.read_back(url) == content:
            return content  # brought by a call that was killed, or there already
        if candidate.known is None:
            raise _taken(candidate, f"a file at {call.settings.rse} that the catalogue does not know")
        storage.delete(url)  # registered with these bytes and damaged since: it is written anew
    aside = _aside_url(call, candidate)
    content = storage.upload(path, aside)
    try:
        _check_unchanged(candidate, content)
    except DamagedFile:
        storage.delete(aside)
        raise
    try:
        storage.rename(aside, url)
    except Conflict as taken:
        storage.delete(aside)
        if storage.read_back(url) != content:
            raise _taken(candidate, f"another file at {call.settings.rse}") from taken
    return content


def _aside_url(call: StoreCall, candidate: Candidate) -> str:
    """Return one temporary URL a file, so that what a killed call left is used by the next."""
    text = f"{candidate.product.lfn} {candidate.file.path.absolute()}"
    name = uuid.uuid5(uuid.NAMESPACE_URL, text).hex
    return f"{call.url_prefix}/{call.settings.vo}/{TEMPORARY_SCOPE}/put/{name}"


def _taken(candidate: Candidate, other: str) -> Conflict:
    return Conflict(
        f"{candidate.file.path} would be named {candidate.product.lfn}; so is {other}, with other content",
        code="lfn-taken",
        next_step="a name is never reused: give another --pass or another --lfn",
        path=candidate.file.path,
        lfn=candidate.product.lfn,
    )


def _check_unchanged(candidate: Candidate, content: FileContent) -> None:
    """Refuse other bytes than those that were inspected, or that the archive has under this name."""
    expected = candidate.inspected or (candidate.known.content if candidate.known is not None else content)
    if content != expected:
        raise DamagedFile(
            f"{candidate.file.path} changed while it was read",
            code="file-changed",
            next_step="store it when nothing writes to it any more",
            path=candidate.file.path,
        )
