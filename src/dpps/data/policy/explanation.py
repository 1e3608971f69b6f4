"""Why a product is kept as it is: kind, rules, places, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dpps.data.audit.ports import Evidence
from dpps.data.audit.records import CopyEvidence, CopyKey
from dpps.data.audit.wrong import found_wrong
from dpps.data.policy.document import PreservationPolicy, ProductKind
from dpps.data.policy.plan import distance_km, eligible_storages, plan_rules
from dpps.data.ports import Catalogue, ReplicationRule, StorageElement
from dpps.data.query import find_files
from dpps.domain.errors import InvalidInput, NotFound, Unavailable
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["FileExplanation", "explain_file", "files_meant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileExplanation:
    """What the policy wants for a file, and what is there."""

    file: ArchivedFile
    kind: ProductKind
    why_kind: Sequence[str]
    """One line for each kind that was tried, in order."""
    wanted: Sequence[ReplicationRule]
    places: Sequence[str]
    """RSEs at which its copies may lie."""
    distances_km: dict[str, float | None]
    """Between each two of them, by ``A to B``."""
    impossible: str
    """Why the policy cannot be kept with the present storages; empty when it can."""
    rules: Sequence[ReplicationRule]
    """Rules that the catalogue has for its dataset, those of people included."""
    wrong: Sequence[CopyEvidence]
    """Last readings of copies that the catalogue calls complete and that were wrong then."""
    missing_copies: int
    next: str
    """What happens next."""


def files_meant(
    principal: Principal, catalogue: Catalogue, words: str, *, limit: int = 20
) -> list[ArchivedFile]:
    """Return the files that an LFN, a dataset or a metadata expression means.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    NotFound
        When there is no such file or dataset.
    """
    authorize(principal, Action.READ, words)
    if not words.startswith("/"):
        return find_files(principal, catalogue, words, limit=limit)
    (file,) = catalogue.files([Lfn(words)])
    if file is not None:
        return [file]
    members = catalogue.members(words)[:limit]
    found = [one for one in catalogue.files(members) if one is not None]
    if not found:
        raise NotFound(
            f"{words} has no files",
            code="dataset-empty",
            next_step="list what is there: dpps data ls",
            name=words,
        )
    return found


def explain_file(
    policy: PreservationPolicy,
    file: ArchivedFile,
    rules: Sequence[ReplicationRule],
    elements: Sequence[StorageElement],
    evidence: Evidence,
) -> FileExplanation:
    """Say what the policy wants for a file, why, and what is there."""
    kind = policy.kind_of(file.metadata)
    impossible, wanted = "", tuple[ReplicationRule, ...]()
    try:
        wanted = plan_rules(policy, kind, file.lfn.parent, elements)
    except Unavailable as error:
        impossible = error.message
    eligible = eligible_storages(kind, elements)
    complete = [one for one in file.replicas if one.state is ReplicaState.AVAILABLE]
    wrong = found_wrong(evidence, [CopyKey(file.lfn, one.rse) for one in complete])
    there = [one for one in complete if one.rse not in {bad.rse for bad in wrong}]
    good = {one.rse for one in there} & {one.rse for one in eligible}
    missing = max(0, kind.copies - len(good))
    onsite = any(one.onsite for one in there)
    return FileExplanation(
        file=file,
        kind=kind,
        why_kind=_why(policy, file),
        wanted=wanted,
        places=[one.rse for one in eligible],
        distances_km={
            f"{one.rse} to {other.rse}": distance_km(one, other)
            for number, one in enumerate(eligible)
            for other in eligible[number + 1 :]
        },
        impossible=impossible,
        rules=rules,
        wrong=wrong,
        missing_copies=missing,
        next=impossible
        or _damage(wrong, left=len(there))
        or _next(kind, missing, wanted, rules, onsite=onsite),
    )


def _why(policy: PreservationPolicy, file: ArchivedFile) -> list[str]:
    lines: list[str] = []
    for kind in policy.kinds:
        condition = kind.where or "every product"
        if kind.accepts(file.metadata):
            return [*lines, f"{kind.name}: it meets {condition}"]
        lines.append(f"{kind.name}: it does not meet {condition}")
    raise InvalidInput("the policy has no kind for it", next_step="dpps data policy check FILE")


def _damage(wrong: Sequence[CopyEvidence], *, left: int) -> str:
    """Return what becomes of copies that were found wrong; empty when there are none."""
    if not wrong:
        return ""
    told = ", ".join(f"the copy at {one.rse} was {one.outcome.value}" for one in wrong)
    if not left:
        return f"{told} when last read back; no copy is known to be good: dpps data audit alarms"
    return f"{told} when last read back; the audit reads again, and has replaced what is damaged"


def _next(
    kind: ProductKind,
    missing: int,
    wanted: Sequence[ReplicationRule],
    rules: Sequence[ReplicationRule],
    *,
    onsite: bool,
) -> str:
    known = {(rule.copies, rule.expression) for rule in rules if rule.kind is not None}
    if any((rule.copies, rule.expression) not in known for rule in wanted):
        return "the preservation service makes the missing rules"
    if missing:
        return f"the catalogue's daemons make {missing} more copies"
    if onsite and kind.free_onsite.when_verified:
        return f"the on-site copy goes ({kind.free_onsite}): its other copies are read back first"
    if any(rule.kind is not None and (rule.copies, rule.expression) not in _terms(wanted) for rule in rules):
        return "rules of an earlier policy are ended once the copies are proven"
    return "nothing: the policy is kept; the audit reads the copies again"


def _terms(rules: Sequence[ReplicationRule]) -> set[tuple[int, str]]:
    return {(rule.copies, rule.expression) for rule in rules}
