"""Bringing one file to its place: copies in order, each verified before the file gets its name."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dpps.data.fixity import local_error, read_content
from dpps.data.ports import Storage
from dpps.data.retrieval.reports import DamagedCopy
from dpps.domain.errors import Conflict, DamagedFile, DppsError, NotFound, StorageFull
from dpps.domain.files import ArchivedFile, Replica
from dpps.domain.names import Lfn

__all__ = ["Fetched", "RetrievedFile", "fetch"]


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
    reported: tuple[str, ...] = ()
    """Storages whose copy is damaged and was reported to the catalogue."""
    error: DppsError | None = None


@dataclass(slots=True)
class Fetched:
    """What happened to one file while copies were tried."""

    replica: Replica | None = None
    """The copy that was good; None when the file was there already."""
    passed_over: list[str] = field(default_factory=list)
    damaged: list[DamagedCopy] = field(default_factory=list)
    error: DppsError | None = None


def fetch(
    storage: Storage, file: ArchivedFile, replicas: Sequence[Replica], target: Path, partial: Path
) -> Fetched:
    """Bring a file to its place from the first good of some copies.

    Parameters
    ----------
    storage : Storage
        Where copies are read.
    file : ArchivedFile
        What is wanted.
    replicas : sequence of Replica
        Copies to try, in order.
    target : Path
        Final name: appears with the complete, verified file; what is there is never replaced.
    partial : Path
        Folder for incomplete files, on the same file system.
    """
    result = Fetched()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            _check_same(target, file)
            return result
        for replica in replicas:
            if _try(storage, file, replica, target, partial, result):
                result.replica = replica
                return result
        result.error = _no_good_copy(file.lfn, result.passed_over)
    except DppsError as error:
        result.error = error
    except OSError as wrong:
        result.error = local_error(wrong, target)
    return result


def _try(
    storage: Storage, file: ArchivedFile, replica: Replica, target: Path, partial: Path, result: Fetched
) -> bool:
    aside = partial / uuid.uuid4().hex
    try:
        aside.mkdir()
        found = storage.download(replica.pfn, aside / target.name)
        if found == file.content:
            # A link, not a rename: a file that appeared meanwhile is not replaced.
            os.link(aside / target.name, target)
            return True
        reason = f"{found.size_bytes} bytes with adler32 {found.adler32}, not those of the file"
        result.damaged.append(_damaged(file, replica, reason))
        result.passed_over.append(f"{replica.rse}: {reason}")
    except FileExistsError:
        _check_same(target, file)
        return True
    except StorageFull:
        raise  # another copy would need the same room
    except (NotFound, DamagedFile) as error:
        result.damaged.append(_damaged(file, replica, error.message))
        result.passed_over.append(f"{replica.rse}: {error.message}")
    except DppsError as error:
        result.passed_over.append(f"{replica.rse}: {error.message}")
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return False


def _damaged(file: ArchivedFile, replica: Replica, reason: str) -> DamagedCopy:
    return DamagedCopy(lfn=file.lfn, rse=replica.rse, pfn=replica.pfn, reason=reason)


def _check_same(target: Path, file: ArchivedFile) -> None:
    if target.is_symlink() or read_content(target) != file.content:
        raise Conflict(
            f"{target} exists with other content",
            code="destination-exists",
            next_step="remove it, name another folder with -o, or keep folders with --keep-paths",
            path=target,
            lfn=file.lfn,
        )


def _no_good_copy(lfn: Lfn, passed_over: Sequence[str]) -> DamagedFile:
    tried = "; ".join(passed_over) or "no copy is available now"
    return DamagedFile(
        f"{lfn} has no good copy: {tried}",
        code="no-good-copy",
        next_step=f"see its copies with: dpps data info {lfn}",
        retryable=True,
        lfn=lfn,
    )
