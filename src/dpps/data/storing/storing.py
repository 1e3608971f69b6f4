"""Storing files that people and jobs bring, as products or for a time.

In this order: check names and metadata; write the bytes under a temporary name, read them back, give them
their final name; register; make the rule that keeps them; attach. Attaching is last, so a call that was
killed anywhere is finished by the same call again, and readers never see a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import batched

from dpps.data.ports import Catalogue, Registration, RegistrationOutcome
from dpps.data.publishing import enter_and_attach
from dpps.data.storing.checking import check_file
from dpps.data.storing.placing import place
from dpps.data.storing.values import (
    Candidate,
    FileToStore,
    StoreCall,
    StoredFile,
    StoreOutcome,
    StoreParts,
    StoreSettings,
    refused,
    result,
)
from dpps.data.temporary import check_lifetime
from dpps.domain.errors import DppsError, InvalidInput
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal

__all__ = ["store_files"]

_BATCH_FILES = 500
_WRITERS = 4
"""Files written at the same time."""


def store_files(
    principal: Principal,
    parts: StoreParts,
    settings: StoreSettings,
    files: Sequence[FileToStore],
    *,
    progress: Callable[[StoredFile], None] | None = None,
) -> list[StoredFile]:
    """Store files, and say what became of each, in the order given.

    A file whose name holds the same content is known, and nothing is done; one whose name holds other
    content, whose metadata are wrong or whose name is not allowed is refused. The others are not affected.

    Parameters
    ----------
    principal : Principal
        Who brings them.
    parts : StoreParts
        The archive.
    settings : StoreSettings
        Where and how.
    files : sequence of FileToStore
        What.
    progress : callable, optional
        Gets each result when it is known.

    Raises
    ------
    InvalidInput
        When there is no such storage, or the lifetime is no time of a temporary file.
    Unavailable, StorageFull
        When catalogue or storage fail; the same call again goes on from there.
    """
    if settings.lifetime is not None:
        check_lifetime(settings.lifetime)
    call = StoreCall(
        principal=principal,
        parts=parts,
        settings=settings,
        url_prefix=_url_prefix(parts.catalogue, settings.rse),
    )
    results: list[StoredFile] = []
    for batch in batched(files, _BATCH_FILES):
        found = _store_batch(call, batch)
        results += found
        if progress is not None:
            for one in found:
                progress(one)
    return results


def _url_prefix(catalogue: Catalogue, rse: str) -> str:
    prefixes = {element.rse: element.url_prefix for element in catalogue.storage_elements()}
    if rse not in prefixes:
        raise InvalidInput(
            f"the catalogue knows no storage {rse!r}",
            code="rse-unknown",
            next_step=f"use one of: {', '.join(sorted(prefixes))}",
            rse=rse,
        )
    return prefixes[rse]


def _store_batch(call: StoreCall, batch: Sequence[FileToStore]) -> list[StoredFile]:
    results: dict[int, StoredFile] = {}
    candidates: dict[int, Candidate] = {}
    for number, file in enumerate(batch):
        try:
            candidates[number] = check_file(call, file)
        except DppsError as error:
            results[number] = refused(file, error)
    known = call.parts.catalogue.files([one.product.lfn for one in candidates.values()])
    for candidate, archived in zip(candidates.values(), known, strict=True):
        candidate.known = archived
    with ThreadPoolExecutor(_WRITERS) as writers:
        found = writers.map(lambda one: place(call, one), candidates.values())
        placed = dict(zip(candidates, found, strict=True))
    results |= {number: one for number, one in placed.items() if one is not None}
    fresh = {number: candidates[number] for number, one in placed.items() if one is None}
    results |= zip(fresh, _enter(call, list(fresh.values())), strict=True)
    return [results[number] for number in range(len(batch))]


def _enter(call: StoreCall, fresh: Sequence[Candidate]) -> Iterator[StoredFile]:
    registrations = [one.registration for one in fresh if one.registration is not None]
    expiries: Mapping[Lfn, datetime] = {}
    if call.settings.lifetime is None:
        outcomes = enter_and_attach(call.parts.catalogue, call.parts.policy, registrations)
    else:
        outcomes, expiries = _enter_temporary(call, registrations, call.settings.lifetime)
    for candidate, registration, outcome in zip(fresh, registrations, outcomes, strict=True):
        if outcome.error is not None:
            yield refused(candidate.file, outcome.error, outcome.lfn)
            continue
        was_there = candidate.known is not None and candidate.known.dataset is not None
        yield result(
            call,
            candidate,
            StoreOutcome.KNOWN if was_there else StoreOutcome.STORED,
            registration.content.size_bytes,
            expires_at=expiries.get(outcome.lfn),
        )


def _enter_temporary(
    call: StoreCall, registrations: Sequence[Registration], lifetime: timedelta
) -> tuple[list[RegistrationOutcome], Mapping[Lfn, datetime]]:
    """Register, keep for the time, attach; return what became of each, and until when they are kept."""
    catalogue = call.parts.catalogue
    outcomes = catalogue.register(registrations) if registrations else []
    good = [one for one, outcome in zip(registrations, outcomes, strict=True) if outcome.error is None]
    names = [one.lfn for one in good]
    expiries = call.parts.keeper.keep(names, call.settings.rse, lifetime) if good else {}
    for dataset in dict.fromkeys(one.dataset for one in good):
        catalogue.attach(dataset, [one.lfn for one in good if one.dataset == dataset])
    return outcomes, expiries
