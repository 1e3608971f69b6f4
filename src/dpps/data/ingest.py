"""One pass over a hand-over folder: every announced file is read, kept on site, registered and replicated.

For each file, in this order: inspect it completely; copy it to the on-site storage (unless it was written
there); register it; ensure the replication rule of its dataset; attach it; remove its trigger. The trigger
goes last, so a pass that was killed anywhere is finished by the next one. The handed-over file itself is
kept, unless the caller wants it removed after it was copied and verified.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import batched
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.data.handover import HandedFile, RefusedFiles, check_handed, find_handed, raw_lfn
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, FileInspector, Registration, Storage
from dpps.data.publishing import enter_and_attach
from dpps.domain.errors import Conflict, DamagedFile, DppsError, InvalidInput, NotFound
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize
from dpps.products.received import ReceivedProduct, describe_raw, describe_simulated

__all__ = ["IngestOutcome", "IngestSettings", "IngestedFile", "ingest_pass"]

_BATCH_FILES = 200


class IngestOutcome(StrEnum):
    """What became of one handed-over file."""

    INGESTED = "ingested"
    KNOWN = "known"
    """The archive had the same content under the same name; the trigger was removed."""
    ACCEPTED = "accepted"
    """Dry run: the file would be ingested."""
    REFUSED = "refused"
    """Nothing was done; the trigger stays, the error says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedFile:
    """A handed-over file and what became of it."""

    path: Path
    outcome: IngestOutcome
    lfn: Lfn | None = None
    rse: str | None = None
    size_bytes: int = 0
    error: DppsError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """What one pass is about."""

    handover: Path
    vo: str
    array_site: str | None = None
    """Where the telescopes are, for files of which neither path nor content tell."""
    in_place_rse: str | None = None
    """The on-site storage whose tree the hand-over folder is: raw files are registered where they lie."""
    remove_handed_over: bool = False
    """Whether a handed-over file is deleted after it was copied, verified and registered."""
    dry_run: bool = False


@dataclass(slots=True)
class _Candidate:
    """A file on its way through the pass."""

    handed: HandedFile
    product: ReceivedProduct
    registration: Registration
    known: ArchivedFile | None = None


@dataclass(slots=True)
class _Pass:
    catalogue: Catalogue
    storage: Storage
    inspectors: Sequence[FileInspector]
    policy: PreservationPolicy
    settings: IngestSettings
    refused: RefusedFiles
    prefixes: Mapping[str, str]
    seen: dict[Lfn, Registration] = field(default_factory=dict)
    origin: dict[Lfn, Path] = field(default_factory=dict)


def ingest_pass(
    principal: Principal,
    catalogue: Catalogue,
    storage: Storage,
    inspectors: Sequence[FileInspector],
    policy: PreservationPolicy,
    settings: IngestSettings,
    *,
    refused: RefusedFiles | None = None,
    progress: Callable[[IngestedFile, int], None] | None = None,
) -> list[IngestedFile]:
    """Ingest all files that are announced now, and say what became of each.

    Parameters
    ----------
    principal : Principal
        Who hands over.
    catalogue, storage, inspectors, policy
        The archive and its rules.
    settings : IngestSettings
        Folder and options.
    refused : RefusedFiles, optional
        Memory of earlier passes of the same process.
    progress : callable, optional
        Gets each result, and the number of files of the pass.

    Raises
    ------
    NotAuthorized
        When the principal may not ingest.
    Unavailable, StorageFull
        When catalogue or storage fail; what was done is done, the next pass goes on from there.
    """
    authorize(principal, Action.INGEST, str(settings.handover))
    prefixes = {element.rse: element.url_prefix for element in catalogue.storage_elements()}
    memory = refused if refused is not None else RefusedFiles()
    work = _Pass(catalogue, storage, inspectors, policy, settings, memory, prefixes)
    handed = find_handed(settings.handover)
    results: list[IngestedFile] = []
    for batch in batched(handed, _BATCH_FILES):
        for result in _ingest_batch(work, batch):
            results.append(result)
            if progress is not None:
                progress(result, len(handed))
    return results


def _ingest_batch(work: _Pass, batch: Sequence[HandedFile]) -> Iterator[IngestedFile]:
    candidates: list[_Candidate] = []
    for handed in batch:
        known_error = work.refused.recall(handed)
        if known_error is not None:
            yield IngestedFile(path=handed.path, outcome=IngestOutcome.REFUSED, error=known_error)
            continue
        try:
            candidates.append(_candidate(work, handed))
        except DppsError as error:
            yield _refuse(work, handed, error)
    known = work.catalogue.files([candidate.product.lfn for candidate in candidates])
    accepted: list[_Candidate] = []
    for candidate, file in zip(candidates, known, strict=True):
        candidate.known = file
        try:
            _check_name_is_free(work, candidate)
            _check_may_be_removed(work, candidate)
            if not work.settings.dry_run:
                _bring_on_site(work, candidate)
            accepted.append(candidate)
        except (Conflict, DamagedFile, InvalidInput, NotFound) as error:
            yield _refuse(work, candidate.handed, error)
    if work.settings.dry_run:
        yield from (_result(candidate, IngestOutcome.ACCEPTED) for candidate in accepted)
    else:
        yield from _enter(work, accepted)


def _candidate(work: _Pass, handed: HandedFile) -> _Candidate:
    check_handed(handed)
    inspector = next((one for one in work.inspectors if one.accepts(handed.path)), None)
    if inspector is None:
        raise InvalidInput(
            f"{handed.path}: no inspector reads this kind of file",
            code="file-kind-unknown",
            next_step="hand over .fits.fz streams or .simtel, .simtel.gz, .simtel.zst files",
            path=handed.path,
        )
    # Names are checked before the file is read: a wrong one costs nothing.
    is_raw = handed.path.name.endswith(".fits.fz")
    lfn = raw_lfn(handed, work.settings.vo) if is_raw else None
    inspection = inspector.inspect(handed.path)
    site = work.settings.array_site
    if lfn is not None:
        product = describe_raw(lfn, inspection.metadata, array_site=site)
    else:
        product = describe_simulated(
            inspection.metadata,
            path=handed.relative,
            vo=work.settings.vo,
            suffix=_suffix(handed.path.name),
            array_site=site,
        )
    registration = Registration(
        lfn=product.lfn,
        rse=_onsite_rse(work, product),
        content=inspection.content,
        metadata=product.metadata,
        dataset=product.dataset,
    )
    return _Candidate(handed, product, registration)


def _suffix(name: str) -> str:
    return name[name.index(".simtel") :]


def _onsite_rse(work: _Pass, product: ReceivedProduct) -> str:
    rse = work.settings.in_place_rse or product.array_site.upper()
    if rse not in work.prefixes:
        raise InvalidInput(
            f"the catalogue knows no on-site storage {rse}",
            code="rse-unknown",
            next_step="add the site, or name another with --array-site",
            rse=rse,
        )
    return rse


def _check_name_is_free(work: _Pass, candidate: _Candidate) -> None:
    wanted, lfn = candidate.registration, candidate.product.lfn
    twin = work.seen.setdefault(lfn, wanted)
    first = work.origin.setdefault(lfn, candidate.handed.path)
    if twin.content != wanted.content:
        raise _taken(candidate, f"{first}, handed over too")
    if candidate.known is not None and candidate.known.content != wanted.content:
        raise _taken(candidate, "a file in the archive")


def _check_may_be_removed(work: _Pass, candidate: _Candidate) -> None:
    """Refuse to take a file for known, and to remove it, when it may be the last good copy."""
    known = candidate.known
    if known is None or not _is_archived(candidate) or not _is_to_be_removed(work, candidate):
        return
    if not any(_is_good(work, known, replica) for replica in known.replicas):
        raise DamagedFile(
            f"{candidate.handed.path} is known as {known.lfn}, of which the archive has no good copy now",
            code="archive-copies-bad",
            next_step=f"see its copies: dpps data info {known.lfn}; this file is kept",
            path=candidate.handed.path,
            lfn=known.lfn,
        )


def _is_good(work: _Pass, file: ArchivedFile, replica: Replica) -> bool:
    if replica.state is not ReplicaState.AVAILABLE:
        return False
    try:
        return work.storage.read_back(replica.pfn) == file.content
    except NotFound:
        return False


def _taken(candidate: _Candidate, other: str) -> Conflict:
    return Conflict(
        f"{candidate.handed.path} would be named {candidate.product.lfn}; so is {other}, with other content",
        code="lfn-taken",
        next_step="a name is never reused: hand the file over under another run number, or remove it",
        path=candidate.handed.path,
        lfn=candidate.product.lfn,
    )


def _bring_on_site(work: _Pass, candidate: _Candidate) -> None:
    """Make sure that the on-site storage holds the inspected bytes under the final name."""
    wanted = candidate.registration
    if _is_archived(candidate):
        return  # its on-site copy may have been freed since: the on-site link is used once per file
    url = work.prefixes[wanted.rse] + wanted.lfn.name
    if work.storage.size_bytes(url) is not None and work.storage.read_back(url) == wanted.content:
        return  # written there by the telescopes' software, or copied by a pass that was killed
    if _lies_in_place(work, candidate):
        raise _changed(candidate)
    if candidate.known is not None:
        work.storage.delete(url)  # registered with these bytes and damaged since: it is written anew
    # Aside, then moved: another pass may be writing another file that would have the same name.
    aside = _aside_url(work, wanted)
    if work.storage.upload(candidate.handed.path, aside) != wanted.content:
        work.storage.delete(aside)
        raise _changed(candidate)
    try:
        work.storage.rename(aside, url)
    except Conflict as taken:
        work.storage.delete(aside)
        if work.storage.read_back(url) != wanted.content:
            raise _taken(candidate, f"a file at {wanted.rse} that the catalogue does not know") from taken


def _aside_url(work: _Pass, wanted: Registration) -> str:
    """Return one temporary URL a file, so that what a killed pass left is used by the next."""
    content = wanted.content
    text = f"{wanted.lfn} {content.size_bytes} {content.adler32}"
    parts = [work.settings.vo, "tmp", "ingest", uuid.uuid5(uuid.NAMESPACE_URL, text).hex]
    return f"{work.prefixes[wanted.rse]}/{'/'.join(parts)}"


def _changed(candidate: _Candidate) -> DamagedFile:
    return DamagedFile(
        f"{candidate.handed.path} changed while it was read",
        code="handed-file-changed",
        next_step="place the trigger only when the file is complete",
        path=candidate.handed.path,
    )


def _lies_in_place(work: _Pass, candidate: _Candidate) -> bool:
    in_place = work.settings.in_place_rse is not None
    return in_place and candidate.product.lfn.name == f"/{candidate.handed.relative}"


def _enter(work: _Pass, accepted: Sequence[_Candidate]) -> Iterator[IngestedFile]:
    for candidate in accepted:
        if _is_archived(candidate):
            _tidy(work, candidate)
            yield _result(candidate, IngestOutcome.KNOWN)
    fresh = [candidate for candidate in accepted if not _is_archived(candidate)]
    outcomes = enter_and_attach(work.catalogue, work.policy, [one.registration for one in fresh])
    for candidate, outcome in zip(fresh, outcomes, strict=True):
        if outcome.error is not None:
            yield _refuse(work, candidate.handed, outcome.error)
            continue
        _tidy(work, candidate)
        yield _result(candidate, IngestOutcome.INGESTED)


def _is_archived(candidate: _Candidate) -> bool:
    """Tell whether nothing is left to do: attaching is the last step of an earlier pass."""
    return candidate.known is not None and candidate.known.dataset is not None


def _is_to_be_removed(work: _Pass, candidate: _Candidate) -> bool:
    return work.settings.remove_handed_over and not _lies_in_place(work, candidate)


def _tidy(work: _Pass, candidate: _Candidate) -> None:
    handed = candidate.handed
    try:
        handed.trigger.unlink(missing_ok=True)
        if _is_to_be_removed(work, candidate):
            handed.path.unlink(missing_ok=True)
    except OSError as wrong:
        raise local_error(wrong, handed.trigger) from wrong


def _refuse(work: _Pass, handed: HandedFile, error: DppsError) -> IngestedFile:
    work.refused.remember(handed, error)
    return IngestedFile(path=handed.path, outcome=IngestOutcome.REFUSED, error=error)


def _result(candidate: _Candidate, outcome: IngestOutcome) -> IngestedFile:
    return IngestedFile(
        path=candidate.handed.path,
        outcome=outcome,
        lfn=candidate.product.lfn,
        rse=candidate.registration.rse,
        size_bytes=candidate.registration.content.size_bytes,
    )
