"""Releases of copies, and rules that hold them, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dpps.data.audit.records import CopyKey
from dpps.data.preservation.releasing import Release
from dpps.domain.names import Lfn

__all__ = ["MemoryCopyKeeper", "MemoryReleases"]


class MemoryReleases:
    """Releases in a dictionary."""

    def __init__(self) -> None:
        self._releases: dict[CopyKey, Release] = {}

    def note(self, releases: Sequence[Release]) -> None:
        """Remember releases, in place of earlier ones of the same copies."""
        self._releases |= {one.key: one for one in releases}

    def of(self, copies: Sequence[CopyKey]) -> Mapping[CopyKey, Release]:
        """Return the releases of these copies; those that were not released are left out."""
        return {key: self._releases[key] for key in copies if key in self._releases}

    def forget(self, copies: Sequence[CopyKey]) -> None:
        """Forget releases; unknown is no error."""
        for key in copies:
            self._releases.pop(key, None)

    def forget_all_but(self, dataset: str, copies: Collection[CopyKey]) -> None:
        """Forget the releases of a dataset's copies but of these, which are still there."""
        self.forget(
            [key for key, one in self._releases.items() if one.dataset == dataset and key not in copies]
        )


class MemoryCopyKeeper:
    """Holds copies by their names.

    Parameters
    ----------
    locked : set of (str, Lfn)
        RSE and file of each copy that is held; a catalogue in memory releases none of them.
    """

    def __init__(self, locked: set[tuple[str, Lfn]]) -> None:
        self._locked = locked
        self._ours: set[tuple[str, Lfn]] = set()
        self.refusals: dict[Lfn, str] = {}
        """Files of which no copy is held, with the reason; for tests to set."""

    def keep(self, rse: str, lfns: Sequence[Lfn]) -> Mapping[Lfn, str]:
        """Take copies back; return the files of which none is held, with the reason."""
        self._ours |= {(rse, lfn) for lfn in lfns if lfn not in self.refusals}
        self._locked |= self._ours
        return {lfn: self.refusals[lfn] for lfn in lfns if lfn in self.refusals}

    def let_go(self, rse: str, lfns: Sequence[Lfn]) -> list[Lfn]:
        """End what `keep` began; return the files of which a copy was held."""
        held = {(rse, lfn) for lfn in lfns} & self._ours
        self._ours -= held
        self._locked -= held
        return [lfn for lfn in lfns if (rse, lfn) in held]
