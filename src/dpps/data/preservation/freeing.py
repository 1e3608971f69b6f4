"""Freeing on-site copies: only with proof that enough copies elsewhere are intact.

Proof means: rules of the policy keep copies at as many distinct centres as the policy asks for, the catalogue
says that these are available, and each of them was read back completely, not long ago, and has the size and
checksum of the file; and none of them has vanished or changed its size at the moment of the release.

When the proof lapses before the storage has deleted a released copy, the copy is taken back: a rule holds it
until there is proof again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from dpps.data.audit.ports import ExclusiveRight
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey, CopyOutcome
from dpps.data.policy import ProductKind
from dpps.data.policy.durations import format_duration
from dpps.data.ports import Catalogue
from dpps.data.preservation.releasing import CopyKeeper, Release, Releases
from dpps.domain.errors import Conflict, NotFound
from dpps.domain.files import ArchivedFile, FileContent, Replica, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["Freeing", "OnsiteCopy", "PreservationOutcome", "judge", "kept_copy", "proven_sites"]


class PreservationOutcome(StrEnum):
    """What became of one on-site copy."""

    FREED = "freed"
    """Enough other copies are proven intact; the storage may delete it."""
    WOULD_FREE = "would-free"
    """Dry run: it would be freed."""
    KEPT = "kept"
    """It stays; the reason says why."""
    TAKEN_BACK = "taken-back"
    """It was freed before, and not deleted yet; the proof of the others has lapsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnsiteCopy:
    """An on-site copy and what became of it."""

    lfn: Lfn
    rse: str
    content: FileContent
    """Of the file."""
    outcome: PreservationOutcome
    reason: str = ""
    verified_at: tuple[str, ...] = ()
    """RSEs whose copies were read back intact."""
    stays: bool = False
    """Whether the policy wants it to stay, so that there is nothing to wait for."""
    free_at: datetime | None = None
    """When the policy lets it go, if it is only too early."""

    @property
    def key(self) -> CopyKey:
        """Which copy."""
        return CopyKey(self.lfn, self.rse)


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
        return kept_copy(
            file, onsite, f"the policy keeps the on-site copies of {kind.name} products", stays=True
        )
    others = [one for one in file.replicas if one.rse != onsite.rse and not one.onsite]
    held = [one for one in others if one.state is ReplicaState.AVAILABLE and one.rse in kept_at]
    centres = len({sites[one.rse] for one in held})
    if centres < kind.copies:
        waiting = [f"{one.rse} {one.state.value}" for one in others if one not in held]
        reason = f"{centres} of {kind.copies} off-site copies are there"
        return kept_copy(file, onsite, "; ".join([reason, *waiting]))
    proofs = reader.proofs(file, held)
    for rse, proof in proofs.items():
        if proof.outcome is not CopyOutcome.INTACT:
            return kept_copy(file, onsite, f"the copy at {rse} is not proven: {proof.problem}")
    for one in held:
        absence = reader.absence(file, one)  # its proof may be days old
        if absence:
            return kept_copy(file, onsite, f"the copy at {one.rse} is not proven now: {absence}")
    free_at = _free_at(kind, proofs)
    if free_at is not None and reader.clock() < free_at:
        reason = (
            f"its copies must have been intact for {format_duration(kind.free_onsite.after)}, "
            f"until {free_at:%Y-%m-%dT%H:%M:%SZ}"
        )
        return replace(kept_copy(file, onsite, reason), free_at=free_at)
    return OnsiteCopy(
        lfn=file.lfn,
        rse=onsite.rse,
        content=file.content,
        outcome=PreservationOutcome.WOULD_FREE,
        verified_at=tuple(proofs),
    )


def _free_at(kind: ProductKind, proofs: Mapping[str, CopyEvidence]) -> datetime | None:
    since = [one.intact_since for one in proofs.values() if one.intact_since is not None]
    return max(since) + kind.free_onsite.after if since and kind.free_onsite.after else None


def proven_sites(
    file: ArchivedFile, kept_at: Collection[str], reader: Reader, sites: Mapping[str, str]
) -> int:
    """Return at how many sites a file has copies that rules keep, all proven intact and there now; else 0."""
    held = [one for one in file.replicas if one.state is ReplicaState.AVAILABLE and one.rse in kept_at]
    if reader.faults(file, held) or any(reader.absence(file, one) for one in held):
        return 0
    return len({sites[one.rse] for one in held})


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeing:
    """Frees on-site copies, and takes freed ones back, for the holder of the right to do so."""

    dataset: str
    """Of which the files are members."""
    catalogue: Catalogue
    reader: Reader
    releases: Releases
    keeper: CopyKeeper
    right: ExclusiveRight

    def free(self, verdicts: Sequence[OnsiteCopy]) -> list[OnsiteCopy]:
        """Let the storages delete the copies that may go; return what became of each copy.

        Raises
        ------
        Unavailable
            When the right was lost meanwhile: the copies that follow stay.
        """
        going = [one for one in verdicts if one.outcome is PreservationOutcome.WOULD_FREE]
        # First the grounds: the deletion asks for them, and without them it would have none to doubt.
        now = self.reader.clock()
        self.releases.note([_grounds(one, self.dataset, now) for one in going])
        refused = {
            CopyKey(lfn, rse): why
            for rse in dict.fromkeys(one.rse for one in going)
            for lfn, why in self._release(rse, [one.lfn for one in going if one.rse == rse])
        }
        self.releases.forget(list(refused))
        results = [
            _released(one, refused.get(one.key)) if one.outcome is PreservationOutcome.WOULD_FREE else one
            for one in verdicts
        ]
        freed = [one.key for one in results if one.outcome is PreservationOutcome.FREED]
        self.reader.evidence.mark_released(freed, now)
        # Someone wants again what was freed before, or its proof is gone: the audit reads it as any other.
        kept = [one.key for one in results if one.outcome is PreservationOutcome.KEPT]
        self.reader.evidence.mark_released(kept, None)
        return results

    def _release(self, rse: str, lfns: Sequence[Lfn]) -> Iterator[tuple[Lfn, str]]:
        """Release copies; yield those that the catalogue holds back, with the reason."""
        self.right.confirm()
        try:
            self.catalogue.release(rse, lfns)
        except (Conflict, NotFound) as refused:
            if len(lfns) == 1:
                yield lfns[0], _LET_GO if self.keeper.let_go(rse, lfns) else refused.message
                return
            was_held = set(self.keeper.let_go(rse, lfns))
            yield from ((lfn, _LET_GO) for lfn in lfns if lfn in was_held)
            others = [lfn for lfn in lfns if lfn not in was_held]
            # One copy that someone pins on site must not keep all the others there.
            middle = 0 if was_held else len(others) // 2
            for part in (others[:middle], others[middle:]):
                if part:
                    yield from self._release(rse, part)

    def take_back(self, verdicts: Sequence[OnsiteCopy]) -> list[OnsiteCopy]:
        """Hold again those freed copies that must not go any more; return these.

        A copy that the catalogue refuses to hold stays released, for the next look to try again; its deletion
        finds no proof either.

        Raises
        ------
        Unavailable
            When the catalogue does not answer.
        """
        staying = [one for one in verdicts if one.outcome is PreservationOutcome.KEPT]
        refused = {
            CopyKey(lfn, rse): why
            for rse in dict.fromkeys(one.rse for one in staying)
            for lfn, why in self.keeper.keep(rse, [one.lfn for one in staying if one.rse == rse]).items()
        }
        held = [one.key for one in staying if one.key not in refused]
        self.reader.evidence.mark_released(held, None)
        self.releases.forget(held)
        return [_taken_back(one, refused.get(one.key)) for one in staying]


_LET_GO: Final = "it was taken back before; it is free again in a moment"


def _grounds(verdict: OnsiteCopy, dataset: str, now: datetime) -> Release:
    return Release(
        lfn=verdict.lfn,
        rse=verdict.rse,
        dataset=dataset,
        content=verdict.content,
        relied_on=verdict.verified_at,
        released_at=now,
    )


def _released(verdict: OnsiteCopy, refusal: str | None) -> OnsiteCopy:
    if refusal is not None:
        return replace(verdict, outcome=PreservationOutcome.KEPT, reason=refusal)
    return replace(verdict, outcome=PreservationOutcome.FREED)


def _taken_back(verdict: OnsiteCopy, refusal: str | None) -> OnsiteCopy:
    if refusal is not None:
        return replace(verdict, reason=f"{verdict.reason}; it is not taken back: {refusal}")
    return replace(verdict, outcome=PreservationOutcome.TAKEN_BACK)


def kept_copy(file: ArchivedFile, onsite: Replica, reason: str, *, stays: bool = False) -> OnsiteCopy:
    """Return the verdict that an on-site copy stays, with the reason."""
    return OnsiteCopy(
        lfn=file.lfn,
        rse=onsite.rse,
        content=file.content,
        outcome=PreservationOutcome.KEPT,
        reason=reason,
        stays=stays,
    )
