"""What is stored, where, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, FileInspector, Registration, Storage
from dpps.data.temporary import TemporaryKeeper
from dpps.domain.errors import DppsError
from dpps.domain.files import ArchivedFile, FileContent
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal
from dpps.products.submitted import SubmittedProduct

__all__ = [
    "Candidate",
    "FileToStore",
    "StoreCall",
    "StoreOutcome",
    "StoreParts",
    "StoreSettings",
    "StoredFile",
    "refused",
    "result",
]


class StoreOutcome(StrEnum):
    """What became of one file."""

    STORED = "stored"
    KNOWN = "known"
    """The archive has the same content under the same name."""
    ACCEPTED = "accepted"
    """Dry run: the file would be stored."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToStore:
    """A local file and what its bringer says of it."""

    path: Path
    metadata: Mapping[str, object] = field(default_factory=dict)
    """Keys of ``ctao_datamodel``'s ``Product``, nested or flat."""
    lfn: str | None = None
    """Name to use; by default the data model's, or for a temporary file one of the bringer's own."""
    dataset: str | None = None
    """Dataset to attach it to; the folder of the name by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where and how files are stored."""

    vo: str
    rse: str
    """Storage that takes the first copy."""
    lifetime: timedelta | None = None
    """Given: the files are temporary, and go after this time."""
    pass_number: int = 1
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreParts:
    """What storing works with."""

    catalogue: Catalogue
    storage: Storage
    policy: PreservationPolicy
    keeper: TemporaryKeeper
    inspectors: Sequence[FileInspector]
    """Files for the archive scope must pass one of them."""
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file and what became of it."""

    path: Path
    outcome: StoreOutcome
    lfn: Lfn | None = None
    rse: str | None = None
    size_bytes: int = 0
    expires_at: datetime | None = None
    """When a temporary file will go."""
    error: DppsError | None = None


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A file on its way."""

    file: FileToStore
    product: SubmittedProduct
    size_bytes: int
    inspected: FileContent | None = None
    """What an inspector has read: nothing else may enter the archive under this description."""
    known: ArchivedFile | None = None
    registration: Registration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCall:
    """One call, with the names that it has given so far."""

    principal: Principal
    parts: StoreParts
    settings: StoreSettings
    url_prefix: str
    names: dict[Lfn, Path] = field(default_factory=dict)


def result(
    call: StoreCall,
    candidate: Candidate,
    outcome: StoreOutcome,
    size_bytes: int,
    *,
    expires_at: datetime | None = None,
) -> StoredFile:
    """Return what became of a file that was not refused."""
    return StoredFile(
        path=candidate.file.path,
        outcome=outcome,
        lfn=candidate.product.lfn,
        rse=call.settings.rse,
        size_bytes=size_bytes,
        expires_at=expires_at,
    )


def refused(file: FileToStore, error: DppsError, lfn: Lfn | None = None) -> StoredFile:
    """Return that a file was refused, and why."""
    return StoredFile(path=file.path, outcome=StoreOutcome.REFUSED, lfn=lfn, error=error)
