"""One pass over a hand-over folder: every announced file is read, kept on site, registered and replicated.

For each file, in this order: inspect it completely; copy it to the on-site storage (unless it was written
there); register it; ensure the replication rule of its dataset; attach it; remove its trigger. The trigger
goes last, so a pass that was killed anywhere is finished by the next one. The handed-over file itself is
kept, unless the caller wants it removed after it was copied and verified. A file that is wrong itself goes
to quarantine; any other that cannot be taken stays where it is.

Files go through in batches: while the catalogue takes one batch, the crew reads the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dpps.data.fixity import local_error
from dpps.data.handover import HandedFile, Signature, find_handed, signature_of
from dpps.data.ingest.crew import CallerCrew, Crew, Interrupted, UnderWay, inspection_failed
from dpps.data.ingest.placing import Candidate, Placing, candidate_of
from dpps.data.ingest.reading import Reader, Reading, Unreadable, changed
from dpps.data.ingest.refusals import RefusedFiles, is_wrong_itself
from dpps.data.ingest.values import IngestedFile, IngestOutcome, IngestSettings
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, FileInspector, ReplicationRule, Storage, StorageElement
from dpps.data.publishing import enter_and_attach
from dpps.data.quarantine import drop_stale_reason, finish_quarantine, quarantine_file
from dpps.domain.errors import DamagedFile, DppsError, StorageFull, Unavailable
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["ingest_pass"]

_BATCH_FILES = 500
_BATCH_BYTES = 2 * 1024**3
"""So that large files are not kept waiting for each other."""


@dataclass(slots=True)
class _Pass:
    catalogue: Catalogue
    policy: PreservationPolicy
    settings: IngestSettings
    refused: RefusedFiles
    placing: Placing
    elements: Sequence[StorageElement]
    prefixes: Mapping[str, str]
    stopping: Callable[[], bool]
    ensured: set[ReplicationRule] = field(default_factory=set)
    """Rules that this pass made sure of: asking again for every batch would show nothing new."""
    down: dict[str, DppsError] = field(default_factory=dict)
    """On-site storages that failed in this pass: their other files wait, those of other sites do not."""


@dataclass(slots=True)
class _Batch:
    handed: Sequence[HandedFile]
    work: UnderWay[Reading | Unreadable]


def ingest_pass(
    principal: Principal,
    catalogue: Catalogue,
    storage: Storage,
    inspectors: Sequence[FileInspector],
    policy: PreservationPolicy,
    settings: IngestSettings,
    *,
    crew: Crew | None = None,
    refused: RefusedFiles | None = None,
    progress: Callable[[IngestedFile, int], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
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
    crew : Crew, optional
        Who reads the files; the calling process by default.
    refused : RefusedFiles, optional
        Memory of earlier passes of the same process: what it recalls is left alone and not answered for.
    progress : callable, optional
        Gets each result, and the number of files of the pass.
    stopping : callable, optional
        Asked between steps; true ends the pass early, its answers are those of the files that were done.

    Raises
    ------
    NotAuthorized
        When the principal may not ingest.
    Unavailable
        When the catalogue does not answer; what was done is done, the next pass goes on from there.
    """
    authorize(principal, Action.INGEST, str(settings.handover))
    memory = refused if refused is not None else RefusedFiles()
    folder = find_handed(settings.handover)
    memory.keep(folder.files)
    handed = [one for one in folder.files if memory.recall(one) is None]
    elements = catalogue.storage_elements() if handed else []
    prefixes = {element.rse: element.url_prefix for element in elements}
    placing = Placing(storage, prefixes, settings)
    work = _Pass(catalogue, policy, settings, memory, placing, elements, prefixes, stopping)
    reader = Reader(tuple(inspectors), settings.vo, settings.array_site)
    results: list[IngestedFile] = []
    for result in _results(work, folder.problems, _batches(crew or CallerCrew(), reader, handed)):
        results.append(result)
        if progress is not None:
            progress(result, len(handed) + len(folder.problems))
    return results


def _results(
    work: _Pass, problems: Sequence[tuple[Path, DppsError]], batches: Iterator[_Batch]
) -> Iterator[IngestedFile]:
    for path, error in problems:
        yield IngestedFile(path=path, outcome=_outcome(error), error=error)
    try:
        for batch in batches:
            if work.stopping():
                return
            yield from _ingest_batch(work, batch.work.results(work.stopping), batch.handed)
    except Interrupted:
        return


def _batches(crew: Crew, reader: Reader, handed: Sequence[HandedFile]) -> Iterator[_Batch]:
    """Yield the batches, each with its reading under way and that of the next begun."""
    ahead: _Batch | None = None
    for files in _split(handed):
        begun = _Batch(files, crew.start(reader, files))
        if ahead is not None:
            yield ahead
        ahead = begun
    if ahead is not None:
        yield ahead


def _split(handed: Sequence[HandedFile]) -> Iterator[list[HandedFile]]:
    files: list[HandedFile] = []
    total_bytes = 0
    for one in handed:
        size_bytes = _size_bytes(one.path)
        if files and (len(files) == _BATCH_FILES or total_bytes + size_bytes > _BATCH_BYTES):
            yield files
            files, total_bytes = [], 0
        files.append(one)
        total_bytes += size_bytes
    if files:
        yield files


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever reads it says what is wrong


def _ingest_batch(
    work: _Pass, readings: Sequence[Reading | Unreadable | Exception], handed: Sequence[HandedFile]
) -> Iterator[IngestedFile]:
    candidates: list[Candidate] = []
    for one, reading in zip(handed, readings, strict=True):
        if isinstance(reading, Exception):
            reading = Unreadable(one, signature_of(one), inspection_failed(one.path, reading))
        if isinstance(reading, Unreadable):
            yield _put_aside(work, reading)
            continue
        try:
            candidates.append(candidate_of(reading, work.settings, work.prefixes))
        except DppsError as error:
            yield _refuse(work, one, reading.signature, error)
    known = work.catalogue.files([candidate.lfn for candidate in candidates]) if candidates else []
    free: list[Candidate] = []
    for candidate, file in zip(candidates, known, strict=True):
        candidate.known = file
        try:
            work.placing.check_name(candidate)
            free.append(candidate)
        except DppsError as error:
            yield _refuse(work, candidate.handed, candidate.signature, error)
    if work.settings.dry_run:
        yield from (_result(candidate, IngestOutcome.ACCEPTED) for candidate in free)
    else:
        yield from _take(work, free)


def _take(work: _Pass, free: Sequence[Candidate]) -> Iterator[IngestedFile]:
    placed: list[Candidate] = []
    for candidate, error in zip(free, _place_all(work, free), strict=True):
        if error is None and signature_of(candidate.handed) != candidate.signature:
            error = changed(candidate.handed)
        if error is not None:
            yield _refuse(work, candidate.handed, candidate.signature, error)
        elif candidate.is_archived:
            yield _tidied(work, candidate, IngestOutcome.KNOWN)
        else:
            placed.append(candidate)
    outcomes = enter_and_attach(
        work.catalogue,
        work.policy,
        [one.registration for one in placed],
        elements=work.elements,
        ensured=work.ensured,
    )
    for candidate, outcome in zip(placed, outcomes, strict=True):
        if outcome.error is not None:
            yield _refuse(work, candidate.handed, candidate.signature, outcome.error)
        else:
            yield _tidied(work, candidate, IngestOutcome.INGESTED)


def _place_all(work: _Pass, free: Sequence[Candidate]) -> list[DppsError | None]:
    """Bring files on site, several at a time; return what went wrong with each."""

    def place(candidate: Candidate) -> DppsError | None:
        rse = candidate.registration.rse
        if rse in work.down:
            return work.down[rse]
        try:
            work.placing.bring_on_site(candidate)
        except (Unavailable, StorageFull) as outage:
            if outage.code != "handed-file-changed":
                work.down.setdefault(rse, outage)
            return outage
        except DppsError as error:
            return error
        return None

    at_once = min(work.settings.copies_at_once, len(free))
    if at_once < 2:
        return [place(candidate) for candidate in free]
    with ThreadPoolExecutor(at_once, thread_name_prefix="ingest-copy") as threads:
        return list(threads.map(place, free))


def _tidied(work: _Pass, candidate: Candidate, outcome: IngestOutcome) -> IngestedFile:
    """Remove the trigger, and the file where that is wanted; the file is in the archive already."""
    handed = candidate.handed
    if signature_of(handed) != candidate.signature:
        return _refuse(work, handed, candidate.signature, changed(handed))
    try:
        drop_stale_reason(handed)
        handed.trigger.unlink(missing_ok=True)
        if work.placing.is_to_be_removed(candidate):
            handed.path.unlink(missing_ok=True)
    except OSError as wrong:
        return _refuse(work, handed, candidate.signature, _not_tidied(handed, wrong))
    work.refused.forget(handed)
    return _result(candidate, outcome)


def _put_aside(work: _Pass, reading: Unreadable) -> IngestedFile:
    """Quarantine a file that is wrong itself; leave any other where it is."""
    handed, error = reading.handed, reading.error
    if work.settings.dry_run:
        outcome = IngestOutcome.UNFIT if is_wrong_itself(error) else _outcome(error)
        return IngestedFile(path=handed.path, outcome=outcome, error=error)
    try:
        if error.code == "handed-file-missing" and (moved := finish_quarantine(handed)) is not None:
            work.refused.forget(handed)
            found = DamagedFile(moved.reason, code=moved.code, next_step=moved.next_step, path=handed.path)
            return _quarantined(handed, moved.path, found)
        # A link may lead to a file that others announce too: only regular files are moved.
        if not is_wrong_itself(error) or handed.path.is_symlink():
            return _refuse(work, handed, reading.signature, error)
        if not work.refused.has_settled(handed, reading.signature, work.settings.settle_seconds):
            return _refuse(work, handed, reading.signature, _unsettled(handed, error))
        if signature_of(handed) != reading.signature:
            return _refuse(work, handed, reading.signature, changed(handed))
        target = quarantine_file(handed, error, datetime.now(UTC))
    except DppsError as hindered:
        return _refuse(work, handed, reading.signature, _not_quarantined(handed, error, hindered))
    work.refused.forget(handed)
    return _quarantined(handed, target, error)


def _quarantined(handed: HandedFile, target: Path, error: DppsError) -> IngestedFile:
    return IngestedFile(path=handed.path, outcome=IngestOutcome.QUARANTINED, quarantine=target, error=error)


def _refuse(work: _Pass, handed: HandedFile, signature: Signature, error: DppsError) -> IngestedFile:
    work.refused.remember(handed, signature, error)
    return IngestedFile(path=handed.path, outcome=_outcome(error), error=error)


def _outcome(error: DppsError) -> IngestOutcome:
    return IngestOutcome.WAITING if error.retryable else IngestOutcome.REFUSED


def _unsettled(handed: HandedFile, error: DppsError) -> Unavailable:
    return Unavailable(
        f"{error.message}; it may still be being written",
        code="handed-file-unsettled",
        next_step="nothing: when it stays as it is, it is quarantined",
        path=handed.path,
    )


def _not_tidied(handed: HandedFile, wrong: OSError) -> Unavailable:
    why = local_error(wrong, handed.trigger).message
    return Unavailable(
        f"{handed.path} is archived, its trigger cannot be removed: {why}",
        code="trigger-not-removable",
        next_step=f"let this user write in {handed.path.parent}, or remove the trigger",
        path=handed.trigger,
    )


def _not_quarantined(handed: HandedFile, error: DppsError, hindered: DppsError) -> Unavailable:
    return Unavailable(
        f"{error.message}; it cannot be moved to quarantine: {hindered.message}",
        code="quarantine-impossible",
        next_step=f"let this user write in the hand-over folder {handed.root}",
        path=handed.path,
    )


def _result(candidate: Candidate, outcome: IngestOutcome) -> IngestedFile:
    return IngestedFile(
        path=candidate.handed.path,
        outcome=outcome,
        lfn=candidate.lfn,
        rse=candidate.registration.rse,
        size_bytes=candidate.registration.content.size_bytes,
    )
