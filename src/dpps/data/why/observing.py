"""Looks at everything that bears on a file, a dataset or a site, with bounded questions only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dpps.data.audit.ports import Evidence, Findings
from dpps.data.audit.records import CopyKey
from dpps.data.audit.wrong import found_wrong
from dpps.data.handover import RAW_LEVEL
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, ReplicationRule
from dpps.data.preservation.releasing import ReleaseGate
from dpps.data.sites import HoldKind, SiteParts
from dpps.data.transfers.lanes import storage_name
from dpps.data.transfers.service import MovedFile, RetryLog
from dpps.data.why.deletions import is_being_deleted, observe_deletions
from dpps.data.why.explaining import explain_dataset, explain_file
from dpps.data.why.findings import Explanation
from dpps.data.why.looking import Look
from dpps.data.why.observations import (
    CopyStates,
    DatasetObservation,
    FileObservation,
    HandoverLedger,
    MissingCopy,
    Refusal,
    RequestLedger,
    RequestState,
    TransferRequest,
)
from dpps.data.why.sites import SiteObservation, explain_site
from dpps.domain.errors import NotFound
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["WhyParts", "why", "why_site"]

_FILES_MAX = 1000
"""Files of a dataset that are looked at."""
_EXAMPLES_MAX = 3
_NEAR_MAX = 3
_DATASET_DEPTH = 3
"""Components of the shortest name of a dataset: a file directly in a scope has no dataset beside it."""
_LACKING = frozenset({ReplicaState.COPYING, ReplicaState.UNAVAILABLE})
_WAITING_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyParts:
    """Who is asked."""

    catalogue: Catalogue
    copies: CopyStates
    requests: RequestLedger
    sites: SiteParts
    handover: HandoverLedger
    policy: PreservationPolicy
    evidence: Evidence
    """What the audit's readings of copies showed."""
    findings: Findings
    """Whose alarms stand."""
    gate: ReleaseGate
    """Asked only; it decides when a copy is deleted."""
    clock: Callable[[], datetime]


def why(principal: Principal, parts: WhyParts, name: str) -> Explanation:
    """Explain a file or a dataset.

    Raises
    ------
    InvalidInput
        When the name cannot be one.
    """
    authorize(principal, Action.READ, name)
    lfn = Lfn(name)
    (file,) = parts.catalogue.files([lfn])
    if file is None:
        members = _members(parts.catalogue, name)
        if members is not None:
            return explain_dataset(_observe_dataset(parts, name, members), parts.clock())
        return explain_file(_observe_absence(parts, lfn, Look(parts.sites)), parts.clock())
    rules, look = _rules(parts.catalogue, file.dataset), Look(parts.sites)
    refusal = _refusal(parts, lfn, look)
    seen = _observe_file(parts, file, rules, look)
    return explain_file(replace(seen, refusal=refusal), parts.clock())


def why_site(principal: Principal, parts: WhyParts, rse: str) -> Explanation:
    """Explain the state of a site, and what waits for it.

    Raises
    ------
    InvalidInput
        When there is no such site.
    """
    authorize(principal, Action.INSPECT, rse)
    look = Look(parts.sites)
    facts = look.site(rse)
    storage = storage_name(facts.condition.url_prefix)
    transfers = parts.sites.transfers
    links = look.transfers.ask(lambda: transfers.own_links(3600.0))
    attempts = look.transfers.ask(lambda: transfers.own_attempts(limit=200)) or []
    limits = look.transfers.ask(transfers.storage_limits) or {}
    seen = SiteObservation(
        facts=facts,
        links=tuple(
            one for one in look.holds if one.kind is HoldKind.LINK and rse in {one.source, one.destination}
        ),
        waiting=tuple(parts.sites.register.waiting_rules(rse)[:_WAITING_MAX]),
        traffic=None
        if links is None
        else tuple(one for one in links if storage in {one.source, one.destination}),
        failures=tuple(
            one
            for one in attempts
            if one.failure and any(url.startswith(storage) for url in (one.source, one.destination))
        ),
        limits=limits.get(storage),
        silences=look.silences,
    )
    return explain_site(seen, parts.clock())


def _observe_file(
    parts: WhyParts, file: ArchivedFile, rules: Sequence[ReplicationRule], look: Look
) -> FileObservation:
    kind = parts.policy.kind_of(file.metadata)
    wrong = found_wrong(parts.evidence, _complete_copies(file))
    doubted = {one.rse for one in wrong}
    good = [
        one.rse for one in file.replicas if one.state is ReplicaState.AVAILABLE and one.rse not in doubted
    ]
    missing = [
        _observe_copy(parts, file.lfn, one.rse, one.state, good, look)
        for one in file.replicas
        if one.state in _LACKING and not is_being_deleted(one)
    ]
    concerned = {rse for copy in missing for rse in (copy.rse, *good)}
    return FileObservation(
        lfn=file.lfn,
        file=file,
        kind=kind.name,
        copies_wanted=kind.copies,
        frees_onsite=kind.free_onsite.when_verified,
        rules=tuple(rules),
        wrong=tuple(wrong),
        alarm=next((one for one in parts.findings.alarms() if one.lfn == file.lfn.name), None),
        missing=tuple(missing),
        deletions=tuple(observe_deletions(parts.gate, file)),
        sites={rse: look.site(rse) for rse in sorted(concerned)},
        silences=look.silences,  # the last: all the others were asked
    )


def _complete_copies(file: ArchivedFile) -> list[CopyKey]:
    return [CopyKey(file.lfn, one.rse) for one in file.replicas if one.state is ReplicaState.AVAILABLE]


def _observe_copy(
    parts: WhyParts, lfn: Lfn, rse: str, state: ReplicaState, good: Sequence[str], look: Look
) -> MissingCopy:
    request = parts.requests.request(lfn, rse)
    moved = _moved(parts, lfn, request, look)
    return MissingCopy(
        rse=rse,
        state=state,
        request=request,
        moved=moved,
        failures=tuple(_failures(parts, moved, look)),
        links=tuple(look.link(source, rse) for source in good),
    )


def _moved(parts: WhyParts, lfn: Lfn, request: TransferRequest | None, look: Look) -> MovedFile | None:
    if request is None or request.job_id is None or request.state is RequestState.DONE:
        return None
    job_id = request.job_id
    files = look.transfers.ask(lambda: parts.sites.transfers.files([job_id])) or []
    return next((one for one in files if one.metadata.get("name") == str(lfn)), None)


def _failures(parts: WhyParts, moved: MovedFile | None, look: Look) -> list[RetryLog]:
    if moved is None or not moved.attempts:
        return []
    return look.transfers.ask(lambda: parts.sites.transfers.retries(moved.job_id, moved.file_id)) or []


def _observe_dataset(parts: WhyParts, name: str, members: Sequence[Lfn]) -> DatasetObservation:
    rules = _rules(parts.catalogue, name)
    looked_at = members[:_FILES_MAX]
    states = parts.copies.copy_states(looked_at)
    onsite = {one.rse for one in parts.catalogue.storage_elements() if one.onsite}
    lacking = [one for one in looked_at if _lacks_a_copy(states.get(one, {}), onsite)]
    deleting = [one for one in looked_at if _is_deleted_on_site(states.get(one, {}), onsite)]
    complete = [
        CopyKey(one, rse)
        for one in looked_at
        for rse, state in states.get(one, {}).items()
        if state is ReplicaState.AVAILABLE
    ]
    names = {one.name for one in members}
    look = Look(parts.sites)
    return DatasetObservation(
        name=name,
        files=len(members),
        looked_at=len(looked_at),
        incomplete=len(lacking),
        rules=tuple(rules),
        examples=tuple(_observe_file(parts, one, rules, look) for one in _examples(parts, lacking)),
        wrong=tuple(found_wrong(parts.evidence, complete)),
        alarms=tuple(one for one in parts.findings.alarms() if one.lfn in names),
        deleting=len(deleting),
        deletions=tuple(
            deletion for one in _examples(parts, deleting) for deletion in observe_deletions(parts.gate, one)
        ),
        silences=look.silences,
    )


def _examples(parts: WhyParts, lfns: Sequence[Lfn]) -> list[ArchivedFile]:
    return [one for one in parts.catalogue.files(lfns[:_EXAMPLES_MAX]) if one is not None]


def _lacks_a_copy(states: Mapping[str, ReplicaState], onsite: Collection[str]) -> bool:
    away = {state for rse, state in states.items() if rse not in onsite}
    here = {state for rse, state in states.items() if rse in onsite} - {ReplicaState.UNAVAILABLE}
    return not _LACKING.isdisjoint(away | here)


def _is_deleted_on_site(states: Mapping[str, ReplicaState], onsite: Collection[str]) -> bool:
    return any(rse in onsite and state is ReplicaState.UNAVAILABLE for rse, state in states.items())


def _observe_absence(parts: WhyParts, lfn: Lfn, look: Look) -> FileObservation:
    refused = look.ingest.ask(parts.handover.refusals) or ()
    absent = FileObservation(lfn=lfn, file=None, handover=parts.handover.folder, silences=look.silences)
    meant = [one for one in refused if one.is_for(lfn)] or [
        one for one in refused if not _is_raw(lfn) and not one.lfn and _last_part(one.path) == lfn.basename
    ]
    if meant:
        return replace(absent, refusal=meant[0])
    return replace(absent, similar=tuple(_near(parts.catalogue, lfn)))


def _refusal(parts: WhyParts, lfn: Lfn, look: Look) -> Refusal | None:
    """Return why something else that was handed over for the name of a known file was not taken."""
    refused = look.ingest.ask(parts.handover.refusals) or ()
    return next((one for one in refused if one.is_for(lfn)), None)


def _is_raw(lfn: Lfn) -> bool:
    return RAW_LEVEL in lfn.name.split("/")[3:4]


def _last_part(path: str) -> str:
    return path.rpartition("/")[2]


def _near(catalogue: Catalogue, lfn: Lfn) -> list[str]:
    """Return names beside it that look like it."""
    if lfn.parent.count("/") < _DATASET_DEPTH:
        return []
    beside = _members(catalogue, lfn.parent)
    if beside is None:
        names = catalogue.datasets(lfn.parent.rpartition("/")[0] or "/")
    else:
        names = [str(one) for one in beside]
    return difflib.get_close_matches(str(lfn), names[:_FILES_MAX], n=_NEAR_MAX, cutoff=0.7)


def _members(catalogue: Catalogue, name: str) -> list[Lfn] | None:
    try:
        return catalogue.members(name)
    except NotFound:
        return None


def _rules(catalogue: Catalogue, dataset: str | None) -> list[ReplicationRule]:
    try:
        return catalogue.rules(dataset) if dataset else []
    except NotFound:
        return []
