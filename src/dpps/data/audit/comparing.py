"""Catalogue against storages: copies that are not there, and files that the catalogue does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched, groupby

from dpps.data.audit.damage import DamageControl
from dpps.data.audit.ports import Findings, StorageSurvey
from dpps.data.audit.records import AuditEvent, CopyKey, DarkFile, ListedFile
from dpps.data.ports import Catalogue, StorageElement
from dpps.domain.errors import DppsError, InvalidInput, NotFound
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "MOVER_PREFIX",
    "DarkSettings",
    "Survey",
    "forgotten_files",
    "known_files",
    "remove_dark",
    "remove_forgotten",
    "survey_storage",
    "take_stock",
]

MOVER_PREFIX = ".dpps-"
"""Beginning of the names under which copies are written before they are complete."""
_NOT_ARCHIVE = frozenset({"INVALID_DL0", "quarantine"})
"""Folders of files that were refused: not archived, and not forgotten either."""
_BATCH_FILES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkSettings:
    """When an unknown file is more than one on its way."""

    grace: timedelta = timedelta(days=1)
    """Files may be unknown for so long: they are being written, moved or registered. Unfinished ones are not
    even noted before nobody has written to them for so long."""
    temporary_lifetime: timedelta = timedelta(days=7)
    """After which unknown files of the temporary scope are removed; from the policy."""


@dataclass(slots=True, kw_only=True)
class Survey:
    """What the listing of one storage showed."""

    rse: str
    files: int = 0
    unknown: int = 0


def take_stock(catalogue: Catalogue, control: DamageControl, dataset: str) -> int:
    """Note which copies a dataset has, and have those read whose size is wrong; return their number."""
    reader = control.reader
    copies: set[CopyKey] = set()
    doubtful: list[tuple[ArchivedFile, CopyKey]] = []
    for file in known_files(catalogue, dataset):
        for replica in file.replicas:
            if replica.state is not ReplicaState.AVAILABLE:
                continue
            key = CopyKey(file.lfn, replica.rse)
            copies.add(key)
            if not _has_size(control, file, replica.pfn):
                doubtful.append((file, key))
    reader.evidence.take_stock(dataset, copies)
    for file, key in doubtful:
        before = reader.evidence.known([file.lfn])
        released = before[key].released_at is not None if key in before else False
        replica = next(one for one in file.replicas if one.rse == key.rse)
        if not released:  # the storage was told to delete it, and the catalogue hears of it a moment later
            control.treat(file, reader.read(file, replica, before), before.get(key))
    return len(copies)


def known_files(catalogue: Catalogue, dataset: str) -> Iterator[ArchivedFile]:
    """Yield the files of a dataset, asking for many at a time."""
    for names in batched(catalogue.members(dataset), _BATCH_FILES):
        yield from (file for file in catalogue.files(names) if file is not None)


def _has_size(control: DamageControl, file: ArchivedFile, url: str) -> bool:
    try:
        return control.reader.storage.size_bytes(url) == file.content.size_bytes
    except DppsError:
        return True  # nothing is known of a storage that does not answer; reading will tell


def survey_storage(
    principal: Principal,
    catalogue: Catalogue,
    listing: StorageSurvey,
    findings: Findings,
    element: StorageElement,
    clock: Callable[[], datetime],
    settings: DarkSettings,
) -> Survey:
    """List a storage and note the files that the catalogue does not know there.

    Unfinished copies that were written to lately are on their way, and counted only.

    Raises
    ------
    NotAuthorized
        When the principal may not audit.
    """
    authorize(principal, Action.AUDIT, element.rse)
    begun = clock()
    survey = Survey(rse=element.rse)
    for listed in batched(listing.everything(element.url_prefix + "/"), _BATCH_FILES):
        urls = [one.url for one in listed if not _is_being_written(one, begun - settings.grace)]
        unknown = _unknown(catalogue, element, urls)
        survey.files += len(listed)
        survey.unknown += len(unknown)
        findings.see_dark(element.rse, unknown, begun)
    findings.forget_dark(element.rse, begun)
    return survey


def _is_being_written(file: ListedFile, since: datetime) -> bool:
    return _is_of_the_mover(file.url) and file.changed_at is not None and file.changed_at > since


def _unknown(catalogue: Catalogue, element: StorageElement, urls: Sequence[str]) -> dict[str, bool]:
    """Return the files that the catalogue does not have at a storage, and whether each is temporary."""
    unknown: dict[str, bool] = {}
    named: dict[str, Lfn] = {}
    for url in urls:
        parts = url.removeprefix(element.url_prefix).split("/")
        if _NOT_ARCHIVE.intersection(parts):
            continue
        unknown[url] = _is_of_the_mover(url) or parts[2:3] == ["tmp"]
        lfn = _lfn("/".join(parts))
        if lfn is not None:
            named[url] = lfn
    files = catalogue.files(list(named.values()))
    for url, file in zip(named, files, strict=True):
        if file is not None and any(one.rse == element.rse for one in file.replicas):
            del unknown[url]
    return unknown


def _lfn(name: str) -> Lfn | None:
    try:
        return Lfn(name)
    except InvalidInput:
        return None


def forgotten_files(findings: Findings, settings: DarkSettings, now: datetime) -> Iterator[DarkFile]:
    """Yield temporary files that nobody will finish or ask for any more, by storage and URL."""
    for one in findings.dark(now - settings.grace, temporary=True):
        if _is_of_the_mover(one.url) or one.first_seen_at <= now - settings.temporary_lifetime:
            yield one


def _is_of_the_mover(url: str) -> bool:
    return url.rpartition("/")[2].startswith(MOVER_PREFIX)


def remove_forgotten(
    principal: Principal,
    catalogue: Catalogue,
    control: DamageControl,
    settings: DarkSettings,
) -> Iterator[str]:
    """Delete temporary files whose time is over, one after the other; return an iterator over their URLs.

    A storage that is away hinders no other: the iterator raises its error at the end.

    Raises
    ------
    NotAuthorized
        When the principal may not audit.
    """
    authorize(principal, Action.AUDIT, "/")
    old = forgotten_files(control.findings, settings, control.reader.clock())
    return _remove(catalogue, control, old, "temporary-removed")


def remove_dark(
    principal: Principal,
    catalogue: Catalogue,
    control: DamageControl,
    settings: DarkSettings,
    urls: Sequence[str],
    *,
    dry_run: bool = False,
) -> list[str]:
    """Delete unknown files that an operator names; return the URLs of those that are deleted.

    Raises
    ------
    NotAuthorized
        When the principal may not operate the storages.
    NotFound
        When a file is not known as dark for as long as the grace period.
    DppsError
        The first failure of a storage, after all that could be deleted was deleted.
    """
    authorize(principal, Action.OPERATE, "/")
    since = control.reader.clock() - settings.grace
    dark = {one.url: one for one in control.findings.dark(since, urls=urls)}
    for url in urls:
        if url not in dark:
            raise NotFound(
                f"{url} is not a file that has been unknown to the catalogue for the grace period",
                code="dark-unknown",
                next_step="list them: dpps data audit dark list",
                url=url,
            )
    files = sorted(dark.values(), key=lambda one: (one.rse, one.url))
    return list(_remove(catalogue, control, files, "dark-removed", dry_run=dry_run))


def _remove(
    catalogue: Catalogue,
    control: DamageControl,
    files: Iterable[DarkFile],
    kind: str,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Delete files, which come by storage, and yield the URLs of those that the catalogue does not know.

    A storage that is away hinders no other, a file that cannot be deleted no other file; the first such
    error is raised when all is done that can be done.
    """
    elements: Mapping[str, StorageElement] = {one.rse: one for one in catalogue.storage_elements()}
    errors: list[DppsError] = []
    for rse, ours in groupby(files, key=lambda one: one.rse):
        for urls in batched((one.url for one in ours), _BATCH_FILES):
            # The catalogue may have learnt of a file since the storage was listed.
            still = _unknown(catalogue, elements[rse], urls) if rse in elements else {}
            if dry_run:
                yield from still
                continue
            control.findings.drop_dark([url for url in urls if url not in still])
            silent = False
            for url in still:
                error = _delete(control, rse, url, kind)
                if error is None:
                    yield url
                    continue
                errors.append(error)
                silent = error.retryable
                if silent:
                    break
            if silent:
                break
    if errors:
        raise errors[0]


def _delete(control: DamageControl, rse: str, url: str, kind: str) -> DppsError | None:
    """Delete an unknown file, note and forget it; return why that was impossible."""
    try:
        control.reader.storage.delete(url)
    except DppsError as error:
        return error
    control.findings.note(AuditEvent(at=control.reader.clock(), kind=kind, name=url, rse=rse))
    control.findings.drop_dark([url])
    return None
