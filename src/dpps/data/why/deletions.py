"""Why a copy on site is still there after it was freed, or stays: looking, and explaining."""

from __future__ import annotations

from typing import Final

from dpps.data.preservation.releasing import GateDecision, GateVerdict, ReleaseGate
from dpps.data.why.findings import Finding, Weight
from dpps.data.why.observations import Deletion
from dpps.domain.errors import DppsError
from dpps.domain.files import ArchivedFile, Replica, ReplicaState

__all__ = ["explain_deletion", "is_being_deleted", "observe_deletions"]

_MAY_BE_FREED: Final = frozenset({ReplicaState.AVAILABLE, ReplicaState.UNAVAILABLE})
_AGAIN: Final = "the catalogue asks again a minute after it asked last, and so on"


def is_being_deleted(copy: Replica) -> bool:
    """Tell whether the catalogue has begun to delete a copy on site: nothing else of ours makes one so."""
    return copy.onsite and copy.state is ReplicaState.UNAVAILABLE


def observe_deletions(gate: ReleaseGate, file: ArchivedFile) -> list[Deletion]:
    """Return what would be decided now of each copy on site that was freed, or whose deletion began.

    Parameters
    ----------
    gate : ReleaseGate
        Decides at the moment of deletion; here it is asked only.
    file : ArchivedFile
        The file.
    """
    copies = [one for one in file.replicas if one.onsite and one.state in _MAY_BE_FREED]
    found = [_observe(gate, file, one) for one in copies]
    return [one for one in found if one is not None]


def _observe(gate: ReleaseGate, file: ArchivedFile, copy: Replica) -> Deletion | None:
    begun = is_being_deleted(copy)
    try:
        decision = gate.decisions(copy.rse, [file.lfn])[file.lfn]
        if decision.verdict is GateVerdict.UNKNOWN:
            if not begun:
                return None
            decision = gate.abandoned(copy.rse, file.lfn, file.content.size_bytes)
    except DppsError as silence:
        return Deletion(rse=copy.rse, begun=begun, decision=None, problem=silence.message)
    return Deletion(rse=copy.rse, begun=begun, decision=decision)


def explain_deletion(seen: Deletion) -> Finding:
    """Return what becomes of a copy that was freed, and why."""
    decision = seen.decision
    if decision is None:
        return Finding(
            code="deletion-waits",
            weight=Weight.WAITS,
            fact=f"nobody can tell now whether the copy at {seen.rse} may be deleted, so it is not",
            cause=seen.problem,
            next="look at the system: dpps status; then the deletion is decided",
            when=_AGAIN,
        )
    if decision.verdict is GateVerdict.WAITS:
        return Finding(
            code="deletion-waits",
            weight=Weight.WAITS,
            fact=f"the deletion of the copy at {seen.rse} waits: {_history(decision)}",
            cause="; ".join(
                [*decision.lapsed, f"whether this copy is whole cannot be told: {decision.doubt}"]
            ),
            next="it is deleted when the others are proven again, and given back when it is seen whole; "
            "the audit reads wrong copies again, or look at the storages: dpps site why",
            when=_AGAIN,
        )
    if decision.verdict is GateVerdict.STAYS:
        return Finding(
            code="deletion-withdrawn",
            weight=Weight.WAITS,
            fact=f"the copy at {seen.rse} is not deleted: {_history(decision)}",
            cause="; ".join(decision.lapsed),
            next="it is available as before; preservation frees it anew when the others are proven",
            when="on its pass after they were read back and matched",
        )
    return Finding(
        code="deletion-goes-on",
        weight=Weight.NOTE,
        fact=f"the copy at {seen.rse} may be deleted: {_history(decision)}",
        next="the catalogue deletes it",
        when="it has begun; if it broke off: within two minutes" if seen.begun else "within a minute",
    )


def _history(decision: GateDecision) -> str:
    if decision.released_at is None:
        return "nobody freed it, and the catalogue has begun to delete it"
    return f"it was freed at {decision.released_at:%Y-%m-%d %H:%M:%S} UTC"
