"""Taking a package into an archive: the same names, bytes, metadata and checksums."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from dpps.data.fixity import local_error, read_content
from dpps.data.packages.reading import bag_entries
from dpps.data.packages.records import FileRecord, bad_package
from dpps.data.packages.verifying import check_package
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, Registration, Storage
from dpps.data.publishing import enter_and_attach
from dpps.data.storing import scope_action
from dpps.data.temporary import TEMPORARY_SCOPE
from dpps.domain.errors import Conflict, DamagedFile, DppsError, InvalidInput
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize
from dpps.products.metadata import validate_metadata

__all__ = ["ImportParts", "ImportedFile", "import_package"]

_BATCH = 100
_BATCH_BYTES = 2 * 1024**3
"""After so much a batch ends: its files lie in the temporary folder of this machine meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportParts:
    """What importing works with."""

    catalogue: Catalogue
    """Tells what is there."""
    writer: Callable[[Action], Catalogue]
    """Gives the catalogue as one who may do this there: each scope has writers of its own."""
    storage: Storage
    policy: PreservationPolicy
    rse: str
    """Storage that takes the first copy."""
    vo: str
    """Names of other virtual organisations are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """A file of a package and what became of it."""

    lfn: Lfn
    created: bool
    """False when the archive had the same content under the same name."""
    error: DppsError | None = None


def import_package(
    principal: Principal, parts: ImportParts, path: Path, *, dry_run: bool = False
) -> Iterator[ImportedFile]:
    """Verify a package, take its files into the archive, and yield what became of each.

    Nothing is taken of a package that is not right in every byte. Repeating it, also after an interruption,
    finishes it and changes nothing else.

    Parameters
    ----------
    principal : Principal
        Who brings it; must be allowed to write the scope of every file.
    parts : ImportParts
        The archive.
    path : Path
        Folder or tar file.
    dry_run : bool
        Check everything, import nothing.

    Raises
    ------
    NotAuthorized
        When the principal may not.
    InvalidInput
        When there is no such storage, or a name or metadata cannot be of this archive.
    DamagedFile
        When the package is not right.
    """
    authorize(principal, Action.PACKAGE, str(path))
    prefix = _url_prefix(parts)
    checked = check_package(path)
    records = checked.records
    for record in records.values():
        authorize(principal, scope_action(record.lfn), record.lfn.name)
        _check(record, parts.vo)
    names = (entry for entry in bag_entries(path) if entry.name in records)
    if dry_run:
        for batch in batched(records.values(), _BATCH):
            yield from _planned(batch, parts.catalogue)
        return
    with tempfile.TemporaryDirectory(prefix="dpps-import-") as folder:
        batch_of: list[FileRecord] = []
        for entry in names:
            record = records[entry.name]
            local = Path(folder) / f"{len(batch_of)}"
            try:
                with local.open("wb") as stream:
                    stream.writelines(entry.chunks())
            except OSError as wrong:
                raise local_error(wrong, local) from wrong
            batch_of.append(record)
            size_bytes = sum(one.content.size_bytes for one in batch_of)
            if len(batch_of) == _BATCH or size_bytes >= _BATCH_BYTES:
                yield from _import(batch_of, Path(folder), parts, prefix)
                for number in range(len(batch_of)):
                    (Path(folder) / f"{number}").unlink()
                batch_of = []
        yield from _import(batch_of, Path(folder), parts, prefix)


def _import(
    records: Sequence[FileRecord], folder: Path, parts: ImportParts, prefix: str
) -> Iterator[ImportedFile]:
    outcomes: dict[Lfn, ImportedFile] = {}
    fresh: list[Registration] = []
    known = parts.catalogue.files([record.lfn for record in records])
    for number, (record, file) in enumerate(zip(records, known, strict=True)):
        try:
            if _is_known(record, file):
                outcomes[record.lfn] = ImportedFile(lfn=record.lfn, created=False)
                continue
            url = f"{prefix}{record.lfn}"
            _place(record, folder / f"{number}", url, parts, registered=file is not None)
        except (Conflict, DamagedFile) as error:
            outcomes[record.lfn] = ImportedFile(lfn=record.lfn, created=False, error=error)
        else:
            fresh.append(
                Registration(
                    lfn=record.lfn,
                    rse=parts.rse,
                    content=record.content,
                    metadata=record.metadata,
                    dataset=record.dataset,
                )
            )
    for action in {scope_action(one.lfn) for one in fresh}:
        mine = [one for one in fresh if scope_action(one.lfn) is action]
        for entered in enter_and_attach(parts.writer(action), parts.policy, mine):
            outcomes[entered.lfn] = ImportedFile(
                lfn=entered.lfn, created=entered.error is None, error=entered.error
            )
    yield from (outcomes[record.lfn] for record in records)


def _place(record: FileRecord, local: Path, url: str, parts: ImportParts, *, registered: bool) -> None:
    """Bring the bytes to their final name; what an interrupted import left there is used.

    Nothing that lies under the name is replaced, also when it comes there meanwhile; but a copy of a file
    that was registered with these bytes and never published is written anew when it is damaged.
    """
    storage = parts.storage
    if read_content(local) != record.content:
        raise bad_package(f"{record.payload_name} changed while it was read")
    if storage.size_bytes(url) is not None:
        if storage.read_back(url) == record.content:
            return
        if not registered:
            raise _taken(record.lfn)
        storage.delete(url)
    aside = _aside_url(record.lfn, url, parts.vo)
    if storage.upload(local, aside) != record.content:
        storage.delete(aside)
        raise DamagedFile(
            f"{record.lfn} was damaged on its way to {url}",
            code="upload-damaged",
            next_step="import the package again",
            retryable=True,
            lfn=record.lfn,
        )
    try:
        storage.rename(aside, url)
    except Conflict as taken:
        storage.delete(aside)
        if storage.read_back(url) != record.content:
            raise _taken(record.lfn) from taken


def _aside_url(lfn: Lfn, url: str, vo: str) -> str:
    """Return one temporary URL a file, so that what a killed import left is used by the next."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, lfn.name).hex
    return f"{url.removesuffix(lfn.name)}/{vo}/{TEMPORARY_SCOPE}/import/{name}"


def _planned(records: Sequence[FileRecord], catalogue: Catalogue) -> Iterator[ImportedFile]:
    for record, file in zip(records, catalogue.files([one.lfn for one in records]), strict=True):
        try:
            yield ImportedFile(lfn=record.lfn, created=not _is_known(record, file))
        except Conflict as error:
            yield ImportedFile(lfn=record.lfn, created=False, error=error)


def _is_known(record: FileRecord, file: ArchivedFile | None) -> bool:
    if file is None:
        return False
    if file.content != record.content:
        raise _taken(record.lfn)
    return file.dataset is not None


def _check(record: FileRecord, vo: str) -> None:
    if record.lfn.vo != vo:
        raise InvalidInput(
            f"{record.lfn} is a name of the virtual organisation {record.lfn.vo!r}, the archive is of {vo!r}",
            code="vo-other",
            next_step="import it into an archive of that organisation",
            lfn=record.lfn,
        )
    if record.lfn.scope == TEMPORARY_SCOPE:
        raise InvalidInput(
            f"{record.lfn} is a temporary file, which no archive keeps",
            code="package-temporary",
            next_step="store it as a product first, then export that",
            lfn=record.lfn,
        )
    validate_metadata(record.metadata)


def _url_prefix(parts: ImportParts) -> str:
    prefixes = {one.rse: one.url_prefix for one in parts.catalogue.storage_elements()}
    if parts.rse not in prefixes:
        raise InvalidInput(
            f"the catalogue knows no storage {parts.rse!r}",
            code="rse-unknown",
            next_step=f"give one of {', '.join(prefixes)}",
            rse=parts.rse,
        )
    return prefixes[parts.rse]


def _taken(lfn: Lfn) -> Conflict:
    return Conflict(
        f"{lfn} exists with other content",
        code="lfn-taken",
        next_step="a name is never reused: compare the two files",
        lfn=lfn,
    )
