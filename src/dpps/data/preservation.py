"""Freeing on-site copies: only with proof that enough off-site copies are intact.

Proof means: the catalogue says that the copies are available at as many distinct off-site centres as the
policy asks for, a replication rule keeps them there, and each of them was read back completely, now, and has
the size and checksum of the file.
Nothing is remembered between passes, so nothing remembered can be wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import batched

from dpps.data.policy import PreservationPolicy, ProductKind, plan_rules
from dpps.data.policy.plan import site_of
from dpps.data.ports import Catalogue, Storage, StorageElement
from dpps.domain.errors import Conflict, DppsError, NotFound
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["OnsiteCopy", "PreservationOutcome", "preservation_pass"]

_BATCH_FILES = 500


class PreservationOutcome(StrEnum):
    """What became of one on-site copy."""

    FREED = "freed"
    """Its off-site copies were read back intact; the storage may delete it."""
    WOULD_FREE = "would-free"
    """Dry run: it would be freed."""
    KEPT = "kept"
    """It stays; the reason says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnsiteCopy:
    """An on-site copy and what became of it."""

    lfn: Lfn
    rse: str
    outcome: PreservationOutcome
    reason: str = ""
    verified_at: tuple[str, ...] = ()
    """Off-site RSEs whose copies were read back intact."""


def preservation_pass(
    principal: Principal,
    catalogue: Catalogue,
    storage: Storage,
    policy: PreservationPolicy,
    *,
    under: str = "/",
    dry_run: bool = False,
    done: set[tuple[str, Lfn]] | None = None,
    progress: Callable[[OnsiteCopy], None] | None = None,
) -> list[OnsiteCopy]:
    """Free the on-site copies of all files that are safe elsewhere, and say why the others stay.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue, storage, policy
        The archive and its rules.
    under : str
        Path below which to look.
    dry_run : bool
        Verify, but free nothing.
    done : set of (rse, lfn), optional
        Copies that this process freed before; storages delete later, and need not be read again meanwhile.
    progress : callable, optional
        Gets each result.

    Raises
    ------
    NotAuthorized
        When the principal may not free copies.
    Unavailable
        When the catalogue does not answer.
    """
    authorize(principal, Action.PRESERVE, under)
    freed_before = done if done is not None else set()
    work = _Pass(catalogue, storage, policy, dry_run)
    results: list[OnsiteCopy] = []
    for files in _batches(catalogue, under):
        verdicts = [
            _judge(work, file, replica)
            for file in files
            for replica in file.replicas
            if replica.onsite
            and replica.state is ReplicaState.AVAILABLE
            and (replica.rse, file.lfn) not in freed_before
        ]
        if not dry_run:
            verdicts = _free(catalogue, verdicts)
            freed_before.update(
                (one.rse, one.lfn) for one in verdicts if one.outcome is PreservationOutcome.FREED
            )
        for verdict in verdicts:
            results.append(verdict)
            if progress is not None:
                progress(verdict)
    return results


@dataclass
class _Pass:
    catalogue: Catalogue
    storage: Storage
    policy: PreservationPolicy
    dry_run: bool
    kept: dict[tuple[str, ProductKind], bool] = field(default_factory=dict)
    """Whether a rule keeps the products of a kind in a dataset."""

    @cached_property
    def elements(self) -> list[StorageElement]:
        """Every storage."""
        return self.catalogue.storage_elements()

    @cached_property
    def sites(self) -> Mapping[str, str]:
        """Site of each storage: two storages of one site can be lost together."""
        return {element.rse: site_of(element) for element in self.elements}


def _batches(catalogue: Catalogue, under: str) -> Iterator[list[ArchivedFile]]:
    for dataset in catalogue.datasets(under):
        for names in batched(catalogue.members(dataset), _BATCH_FILES):
            yield [file for file in catalogue.files(names) if file is not None]


def _judge(work: _Pass, file: ArchivedFile, onsite: Replica) -> OnsiteCopy:
    kind = work.policy.kind_of(file.metadata)
    if not kind.free_onsite.when_verified:
        return _kept(file, onsite, f"the policy keeps the on-site copies of {kind.name} products")
    offsite = [one for one in file.replicas if not one.onsite]
    available = [one for one in offsite if one.state is ReplicaState.AVAILABLE]
    centres = len({work.sites[one.rse] for one in available})
    if centres < kind.copies:
        reason = f"{centres} of {kind.copies} off-site copies are there"
        waiting = [f"{one.rse} {one.state.value}" for one in offsite if one not in available]
        return _kept(file, onsite, "; ".join([reason, *waiting]))
    if not _is_kept_by_a_rule(work, file, kind):
        return _kept(file, onsite, "no replication rule keeps the off-site copies")
    verified: list[str] = []
    for replica in available:
        fault = _fault(work.storage, file, replica)
        if fault is not None:
            return _kept(file, onsite, f"the copy at {replica.rse} is not proven: {fault}")
        verified.append(replica.rse)
    return OnsiteCopy(
        lfn=file.lfn, rse=onsite.rse, outcome=PreservationOutcome.WOULD_FREE, verified_at=tuple(verified)
    )


def _is_kept_by_a_rule(work: _Pass, file: ArchivedFile, kind: ProductKind) -> bool:
    """Tell whether the off-site copies are held; make a missing rule, for a later pass to rely on."""
    dataset = file.lfn.parent
    if (dataset, kind) not in work.kept:
        wanted = plan_rules(work.policy, kind, dataset, work.elements)
        known = {(rule.copies, rule.expression) for rule in work.catalogue.rules(dataset)}
        kept = all((rule.copies, rule.expression) in known for rule in wanted)
        work.kept[dataset, kind] = kept
        for rule in wanted if not (kept or work.dry_run) else ():
            work.catalogue.ensure_rule(rule)
    return work.kept[dataset, kind]


def _fault(storage: Storage, file: ArchivedFile, replica: Replica) -> str | None:
    """Read a copy back; return what is wrong with it."""
    try:
        found = storage.read_back(replica.pfn)
    except DppsError as error:
        return error.message
    if found != file.content:
        return f"it has {found.size_bytes} bytes and adler32 {found.adler32}, not those of the file"
    return None


def _free(catalogue: Catalogue, verdicts: Sequence[OnsiteCopy]) -> list[OnsiteCopy]:
    by_rse: dict[str, list[Lfn]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.outcome is PreservationOutcome.WOULD_FREE:
            by_rse[verdict.rse].append(verdict.lfn)
    refused = {(rse, lfn): why for rse, lfns in by_rse.items() for lfn, why in _release(catalogue, rse, lfns)}
    return [
        _released(one, refused.get((one.rse, one.lfn)))
        if one.outcome is PreservationOutcome.WOULD_FREE
        else one
        for one in verdicts
    ]


def _release(catalogue: Catalogue, rse: str, lfns: Sequence[Lfn]) -> Iterator[tuple[Lfn, str]]:
    """Release copies; yield those that the catalogue holds back, with the reason."""
    try:
        catalogue.release(rse, lfns)
    except (Conflict, NotFound) as refused:
        if len(lfns) == 1:
            yield lfns[0], refused.message
            return
        # One copy that someone pins on site must not keep all the others there.
        for lfn in lfns:
            yield from _release(catalogue, rse, [lfn])


def _released(verdict: OnsiteCopy, refusal: str | None) -> OnsiteCopy:
    if refusal is not None:
        return replace(verdict, outcome=PreservationOutcome.KEPT, reason=refusal)
    return replace(verdict, outcome=PreservationOutcome.FREED)


def _kept(file: ArchivedFile, onsite: Replica, reason: str) -> OnsiteCopy:
    return OnsiteCopy(lfn=file.lfn, rse=onsite.rse, outcome=PreservationOutcome.KEPT, reason=reason)
