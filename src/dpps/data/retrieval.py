"""Retrieving files: the nearest good copy, verified, under its own name in one folder."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpps.data.fixity import local_error, read_content
from dpps.data.ports import Catalogue, Storage
from dpps.domain.errors import Conflict, DamagedFile, DppsError, InvalidInput, NotFound, StorageFull
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["RetrievedFile", "get_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedFile:
    """A requested file and what became of it."""

    lfn: Lfn
    path: Path | None = None
    rse: str | None = None
    """Storage that the bytes came from; None when the file was there already."""
    size_bytes: int = 0
    passed_over: tuple[str, ...] = ()
    """Copies that were tried and were not good, with the reason."""
    error: DppsError | None = None


def get_files(
    principal: Principal,
    catalogue: Catalogue,
    storage: Storage,
    lfns: Sequence[Lfn],
    destination: Path,
    *,
    near: str | None = None,
    progress: Callable[[RetrievedFile], None] | None = None,
) -> list[RetrievedFile]:
    """Retrieve files into a folder, and say what became of each, in the order given.

    A file appears under its final name only when it is complete and its checksum is right. A copy that is
    damaged or out of reach is passed over for the next one. A file that is there with the right content is
    left as it is; with other content it is not touched, and the result is a `Conflict`.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue, storage
        The archive.
    lfns : sequence of Lfn
        What to retrieve; their last components must differ.
    destination : Path
        Folder to write into; made when absent. Nothing is written outside it.
    near : str, optional
        RSE to prefer. Otherwise off-site copies come first: the on-site link is for raw data.
    progress : callable, optional
        Gets each result.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When two files would have the same path, or the destination is no folder.
    """
    for lfn in lfns:
        authorize(principal, Action.READ, lfn.name)
    _check_distinct(lfns)
    _make_folder(destination)
    results: list[RetrievedFile] = []
    for lfn, file in zip(lfns, catalogue.files(lfns), strict=True):
        result = _get(storage, lfn, file, destination, near)
        results.append(result)
        if progress is not None:
            progress(result)
    return results


def _get(
    storage: Storage, lfn: Lfn, file: ArchivedFile | None, destination: Path, near: str | None
) -> RetrievedFile:
    passed_over: list[str] = []
    try:
        known = _visible(lfn, file)
        target = destination / lfn.basename
        if target.is_symlink() or target.exists():
            _check_same(target, known)
            return RetrievedFile(lfn=lfn, path=target, size_bytes=known.content.size_bytes)
        for replica in _nearest_first(known, near):
            fault = _fetch(storage, known, replica, target)
            if fault is None:
                return RetrievedFile(
                    lfn=lfn,
                    path=target,
                    rse=replica.rse,
                    size_bytes=known.content.size_bytes,
                    passed_over=tuple(passed_over),
                )
            passed_over.append(f"{replica.rse}: {fault}")
        raise _no_good_copy(lfn, passed_over)
    except DppsError as error:
        return RetrievedFile(lfn=lfn, passed_over=tuple(passed_over), error=error)


def _visible(lfn: Lfn, file: ArchivedFile | None) -> ArchivedFile:
    if file is None or file.dataset is None:
        raise NotFound(
            f"the archive has no file {lfn}",
            code="lfn-unknown",
            next_step=f"list what is there: dpps data ls {lfn.parent}",
            lfn=lfn,
        )
    return file


def _nearest_first(file: ArchivedFile, near: str | None) -> list[Replica]:
    good = [replica for replica in file.replicas if replica.state is ReplicaState.AVAILABLE]
    return sorted(good, key=lambda replica: (replica.rse != near, replica.onsite, replica.rse))


def _fetch(storage: Storage, file: ArchivedFile, replica: Replica, target: Path) -> str | None:
    """Bring one copy to its place; return what is wrong with it, or None when all is well."""
    aside = target.parent / f".dpps-{uuid.uuid4().hex}"
    try:
        aside.mkdir()
        found = storage.download(replica.pfn, aside / target.name)
        if found != file.content:
            return f"{found.size_bytes} bytes with adler32 {found.adler32}, not those of the file"
        # A link, not a rename: a file that appeared meanwhile is not replaced.
        os.link(aside / target.name, target)
    except FileExistsError:
        _check_same(target, file)
    except OSError as wrong:
        raise local_error(wrong, target) from wrong
    except StorageFull:
        raise  # another copy would need the same room
    except DppsError as error:
        return error.message
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return None


def _check_same(target: Path, file: ArchivedFile) -> None:
    if target.is_symlink() or read_content(target) != file.content:
        raise Conflict(
            f"{target} exists with other content",
            code="destination-exists",
            next_step="remove it, or name another folder with -o",
            path=target,
            lfn=file.lfn,
        )


def _check_distinct(lfns: Sequence[Lfn]) -> None:
    first: dict[str, Lfn] = {}
    for lfn in lfns:
        other = first.setdefault(lfn.basename, lfn)
        if other != lfn:
            raise InvalidInput(
                f"{other} and {lfn} would have the same path",
                code="destination-ambiguous",
                next_step="retrieve them into different folders",
                lfn=lfn,
            )


def _make_folder(destination: Path) -> None:
    try:
        destination.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise InvalidInput(
            f"{destination} cannot be a folder to write into: {wrong.strerror}",
            code="destination-invalid",
            next_step="name another folder with -o",
            path=destination,
        ) from wrong


def _no_good_copy(lfn: Lfn, passed_over: Sequence[str]) -> DamagedFile:
    tried = "; ".join(passed_over) or "no copy is available now"
    return DamagedFile(
        f"{lfn} has no good copy: {tried}",
        code="no-good-copy",
        next_step=f"see its copies with: dpps data info {lfn}",
        retryable=True,
        lfn=lfn,
    )
