"""Freeing on-site copies: only with proof that enough copies elsewhere are intact.

Proof means: rules of the policy keep copies at as many distinct centres as the policy asks for, the catalogue
says that these are available, and each of them was read back completely, not long ago, and has the size and
checksum of the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey, CopyOutcome
from dpps.data.policy import ProductKind
from dpps.data.policy.durations import format_duration
from dpps.data.ports import Catalogue
from dpps.domain.errors import Conflict, NotFound
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["OnsiteCopy", "PreservationOutcome", "free", "judge", "proven_sites"]


class PreservationOutcome(StrEnum):
    """What became of one on-site copy."""

    FREED = "freed"
    """Enough other copies are proven intact; the storage may delete it."""
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
    """RSEs whose copies were read back intact."""
    stays: bool = False
    """Whether the policy wants it to stay, so that there is nothing to wait for."""
    free_at: datetime | None = None
    """When the policy lets it go, if it is only too early."""


def judge(
    file: ArchivedFile,
    onsite: Replica,
    kind: ProductKind,
    kept_at: Collection[str],
    reader: Reader,
    sites: Mapping[str, str],
) -> OnsiteCopy:
    """Decide about one on-site copy.

    Parameters
    ----------
    file : ArchivedFile
        The file.
    onsite : Replica
        The copy that may go.
    kind : ProductKind
        What the policy asks for such a file.
    kept_at : collection of str
        RSEs at which rules of the policy keep a complete copy.
    reader : Reader
        Reads copies back where there is no fresh proof.
    sites : mapping of str to str
        Site of each RSE: two storages of one site can be lost together.
    """
    if not kind.free_onsite.when_verified:
        return _kept(file, onsite, f"the policy keeps the on-site copies of {kind.name} products", stays=True)
    others = [one for one in file.replicas if one.rse != onsite.rse and not one.onsite]
    held = [one for one in others if one.state is ReplicaState.AVAILABLE and one.rse in kept_at]
    centres = len({sites[one.rse] for one in held})
    if centres < kind.copies:
        waiting = [f"{one.rse} {one.state.value}" for one in others if one not in held]
        reason = f"{centres} of {kind.copies} off-site copies are there"
        return _kept(file, onsite, "; ".join([reason, *waiting]))
    proofs = reader.proofs(file, held)
    for rse, proof in proofs.items():
        if proof.outcome is not CopyOutcome.INTACT:
            return _kept(file, onsite, f"the copy at {rse} is not proven: {proof.problem}")
    free_at = _free_at(kind, proofs)
    if free_at is not None and reader.clock() < free_at:
        reason = (
            f"its copies must have been intact for {format_duration(kind.free_onsite.after)}, "
            f"until {free_at:%Y-%m-%dT%H:%M:%SZ}"
        )
        return replace(_kept(file, onsite, reason), free_at=free_at)
    return OnsiteCopy(
        lfn=file.lfn, rse=onsite.rse, outcome=PreservationOutcome.WOULD_FREE, verified_at=tuple(proofs)
    )


def _free_at(kind: ProductKind, proofs: Mapping[str, CopyEvidence]) -> datetime | None:
    since = [one.intact_since for one in proofs.values() if one.intact_since is not None]
    return max(since) + kind.free_onsite.after if since and kind.free_onsite.after else None


def proven_sites(
    file: ArchivedFile, kept_at: Collection[str], reader: Reader, sites: Mapping[str, str]
) -> int:
    """Return at how many sites a file has copies that rules keep, all of them proven intact; else 0."""
    held = [one for one in file.replicas if one.state is ReplicaState.AVAILABLE and one.rse in kept_at]
    return 0 if reader.faults(file, held) else len({sites[one.rse] for one in held})


def free(catalogue: Catalogue, reader: Reader, verdicts: Sequence[OnsiteCopy]) -> list[OnsiteCopy]:
    """Let the storages delete the copies that may go; return what became of each copy."""
    by_rse: dict[str, list[Lfn]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.outcome is PreservationOutcome.WOULD_FREE:
            by_rse[verdict.rse].append(verdict.lfn)
    refused = {(rse, lfn): why for rse, lfns in by_rse.items() for lfn, why in _release(catalogue, rse, lfns)}
    results = [
        _released(one, refused.get((one.rse, one.lfn)))
        if one.outcome is PreservationOutcome.WOULD_FREE
        else one
        for one in verdicts
    ]
    freed = [CopyKey(one.lfn, one.rse) for one in results if one.outcome is PreservationOutcome.FREED]
    reader.evidence.mark_released(freed, reader.clock())
    # Someone wants again what was freed before, or its proof is gone: the audit reads it as any other.
    kept = [CopyKey(one.lfn, one.rse) for one in results if one.outcome is PreservationOutcome.KEPT]
    reader.evidence.mark_released(kept, None)
    return results


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


def _kept(file: ArchivedFile, onsite: Replica, reason: str, *, stays: bool = False) -> OnsiteCopy:
    return OnsiteCopy(
        lfn=file.lfn, rse=onsite.rse, outcome=PreservationOutcome.KEPT, reason=reason, stays=stays
    )
