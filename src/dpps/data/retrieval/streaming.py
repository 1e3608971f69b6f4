"""Retrieving many files: in batches, several at a time, with memory that does not grow with their number."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from dpps.data.ports import Catalogue, Storage
from dpps.data.retrieval.fetching import Fetched, RetrievedFile, fetch
from dpps.data.retrieval.manifest import Manifest
from dpps.data.retrieval.nearness import Nearness, parse_nearness
from dpps.data.retrieval.reports import DamageReports
from dpps.data.visibility import is_visible, unknown_file
from dpps.domain.errors import DppsError, InvalidInput, NotAuthorized, StorageFull
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["RetrievalParts", "RetrievalSettings", "get_files", "retrieve"]

_BATCH = 200
JOBS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalParts:
    """What a retrieval works with."""

    catalogue: Catalogue
    storage: Storage
    reports: DamageReports | None = None
    """Where damaged copies are reported; None to report none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """How files are retrieved."""

    destination: Path
    """Folder to write into; made when absent. Nothing is written outside it."""
    near: str | None = None
    """Storage, site, country or position to prefer; see `dpps.data.retrieval.parse_nearness`."""
    keep_paths: bool = False
    """Keep the folders of names below the destination; else all files are directly in it."""
    jobs: int = 4
    """Files that are copied at the same time."""


def retrieve(
    principal: Principal, parts: RetrievalParts, lfns: Iterable[Lfn], settings: RetrievalSettings
) -> Generator[RetrievedFile, None, None]:
    """Retrieve files into a folder, and yield what became of each, in the order given.

    A file appears under its final name only when it is complete and its checksum is right. A copy that is
    damaged or out of reach is passed over for the next one; a damaged one is reported when the principal may
    do so. A file that is there with the right content is left as it is; with other content it is not touched,
    and the result is a `Conflict`. Ended at any moment, a second call goes on where the first one was: what a
    manifest in the folder says to be verified, and that was not touched since, is not read again.

    Parameters
    ----------
    principal : Principal
        Who asks.
    parts : RetrievalParts
        The archive.
    lfns : iterable of Lfn
        What to retrieve; taken as it is needed.
    settings : RetrievalSettings
        Where to and how.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When the destination is no folder, or nothing is near.
    Conflict
        When another retrieval fills the folder.
    StorageFull
        When the next files do not fit on the disk; none of them was begun.
    """
    authorize(principal, Action.READ, str(settings.destination))
    if not 1 <= settings.jobs <= JOBS_MAX:
        raise InvalidInput(
            f"{settings.jobs} files cannot be copied at the same time",
            code="jobs-invalid",
            next_step=f"give a number from 1 to {JOBS_MAX}",
        )
    nearness = parse_nearness(settings.near, parts.catalogue.storage_elements() if settings.near else ())
    run = _Run(principal, parts, settings, nearness)
    with Manifest(settings.destination) as manifest, ThreadPoolExecutor(settings.jobs) as pool:
        try:
            for batch in batched(lfns, _BATCH):
                yield from run.batch(batch, manifest, pool)
                manifest.save()
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Run:
    principal: Principal
    parts: RetrievalParts
    settings: RetrievalSettings
    nearness: Nearness

    def batch(
        self, lfns: Sequence[Lfn], manifest: Manifest, pool: ThreadPoolExecutor
    ) -> Iterator[RetrievedFile]:
        files = self.parts.catalogue.files(lfns)
        wanted = {
            file.lfn: file
            for file in files
            if file is not None and is_visible(file) and not self._is_there(file, manifest)
        }
        self._check_room(wanted.values())
        running = {lfn: pool.submit(self._fetch, file, manifest.partial) for lfn, file in wanted.items()}
        for lfn, file in zip(lfns, files, strict=True):
            if file is None or not is_visible(file):
                yield RetrievedFile(lfn=lfn, error=unknown_file(lfn))
            elif lfn not in running:
                yield RetrievedFile(lfn=lfn, path=self._target(lfn), size_bytes=file.content.size_bytes)
            else:
                yield self._ended(file, running[lfn].result(), manifest)

    def _target(self, lfn: Lfn) -> Path:
        name = lfn.name.lstrip("/") if self.settings.keep_paths else lfn.basename
        return self.settings.destination / name

    def _is_there(self, file: ArchivedFile, manifest: Manifest) -> bool:
        target = self._target(file.lfn)
        return target.is_file() and not target.is_symlink() and manifest.knows(target, file.content)

    def _check_room(self, files: Iterable[ArchivedFile]) -> None:
        needed = sum(file.content.size_bytes for file in files if not self._target(file.lfn).exists())
        free = shutil.disk_usage(self.settings.destination).free
        if needed > free:
            raise StorageFull(
                f"the next files need {needed} bytes, {self.settings.destination} has {free} left",
                code="destination-full",
                next_step="free space, then give the same command again: it goes on where it ended",
                path=self.settings.destination,
            )

    def _fetch(self, file: ArchivedFile, partial: Path) -> Fetched:
        replicas = self.nearness.nearest_first(file.replicas)
        return fetch(self.parts.storage, file, replicas, self._target(file.lfn), partial)

    def _ended(self, file: ArchivedFile, fetched: Fetched, manifest: Manifest) -> RetrievedFile:
        target = self._target(file.lfn)
        if fetched.error is None:
            manifest.add(target, file.lfn, file.content)
        return RetrievedFile(
            lfn=file.lfn,
            path=target if fetched.error is None else None,
            rse=fetched.replica.rse if fetched.replica else None,
            size_bytes=file.content.size_bytes if fetched.error is None else 0,
            passed_over=tuple(fetched.passed_over),
            reported=self._report(fetched),
            error=fetched.error,
        )

    def _report(self, fetched: Fetched) -> tuple[str, ...]:
        """Report damaged copies where that is allowed; who may not gets the files all the same."""
        if not fetched.damaged or self.parts.reports is None:
            return ()
        try:
            authorize(self.principal, Action.AUDIT, fetched.damaged[0].lfn.name)
            self.parts.reports.suspect(fetched.damaged)
        except NotAuthorized:
            return ()
        except DppsError as error:
            fetched.passed_over.append(f"the damage could not be reported: {error.message}")
            return ()
        return tuple(copy.rse for copy in fetched.damaged)


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
    """Retrieve a few files into one folder; see `retrieve`.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When two files would have the same path, or the destination is no folder.
    """
    _check_distinct(lfns)
    parts = RetrievalParts(catalogue=catalogue, storage=storage)
    results: list[RetrievedFile] = []
    for result in retrieve(principal, parts, lfns, RetrievalSettings(destination=destination, near=near)):
        results.append(result)
        if progress is not None:
            progress(result)
    return results


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
