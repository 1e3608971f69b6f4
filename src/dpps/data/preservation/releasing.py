"""Released copies: on which others each release relies, whether it still stands, and taking copies back.

Between the release of an on-site copy and its deletion time passes, in which the copies that it relied on may
be found damaged or lost, or their storage may go away. The deletion asks `ReleaseGate` therefore, and
preservation takes back what must not go any more (`CopyKeeper`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, Protocol

from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey, CopyOutcome
from dpps.domain.errors import DppsError
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

__all__ = ["CopyKeeper", "GateDecision", "GateVerdict", "Release", "ReleaseGate", "Releases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One copy that a storage may delete, because others are proven."""

    lfn: Lfn
    rse: str
    dataset: str
    """Of which the file is a member; need not be the folder of its name."""
    content: FileContent
    """Of the file."""
    relied_on: tuple[str, ...]
    """RSEs whose copies were proven."""
    released_at: datetime

    @property
    def key(self) -> CopyKey:
        """Which copy."""
        return CopyKey(self.lfn, self.rse)


class Releases(Protocol):
    """Which copies were released, and on what grounds; noted before the catalogue hears of it."""

    def note(self, releases: Sequence[Release]) -> None:
        """Remember releases, in place of earlier ones of the same copies."""
        ...

    def of(self, copies: Sequence[CopyKey]) -> Mapping[CopyKey, Release]:
        """Return the releases of these copies; those that were not released are left out."""
        ...

    def forget(self, copies: Sequence[CopyKey]) -> None:
        """Forget releases; unknown is no error."""
        ...

    def forget_all_but(self, dataset: str, copies: Collection[CopyKey]) -> None:
        """Forget the releases of a dataset's copies but of these, which are still there."""
        ...


class CopyKeeper(Protocol):
    """Rules that hold single copies where they are."""

    def keep(self, rse: str, lfns: Sequence[Lfn]) -> Mapping[Lfn, str]:
        """Take copies back: none is deleted until it is let go. Repeating does no harm.

        Returns the files of which the catalogue holds no copy, with the reason; the others are held.

        Raises
        ------
        Unavailable
            When the catalogue does not answer.
        """
        ...

    def let_go(self, rse: str, lfns: Sequence[Lfn]) -> list[Lfn]:
        """End what `keep` began; return the files of which a copy was held. The rules end a moment later."""
        ...


class GateVerdict(StrEnum):
    """What may become of a copy that is about to be deleted."""

    UNKNOWN = "unknown"
    """Nobody noted a release of it."""
    GOES = "goes"
    """Its release stands, or there is nothing left to take back."""
    STAYS = "stays"
    """The proof of the others has lapsed, and it lies whole where it was."""
    WAITS = "waits"
    """The proof has lapsed, and nobody can tell now whether it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """A verdict, and what it rests on."""

    verdict: GateVerdict
    released_at: datetime | None = None
    """None: nobody noted a release."""
    lapsed: tuple[str, ...] = ()
    """What is missing of the proof: a sentence for each copy on which the release relied and that proves
    nothing now."""
    doubt: str = ""
    """Why nobody can tell whether the copy itself is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseGate:
    """Decides at the moment of deletion whether released copies may go."""

    reader: Reader
    releases: Releases
    url_prefixes: Mapping[str, str]
    """By RSE; the URL of a copy is this followed by the file's name."""

    def verdicts(self, rse: str, lfns: Sequence[Lfn]) -> dict[Lfn, GateVerdict]:
        """Decide about the copies of some files at one storage.

        Raises
        ------
        Unavailable
            When the database does not answer: nothing may go.
        """
        return {lfn: one.verdict for lfn, one in self.decisions(rse, lfns).items()}

    def decisions(self, rse: str, lfns: Sequence[Lfn]) -> dict[Lfn, GateDecision]:
        """Decide, and say what the verdicts rest on; nothing is changed.

        Raises
        ------
        Unavailable
            When the database does not answer.
        """
        return replace(self, reader=self.reader.for_one_look())._decide(rse, lfns)

    def _decide(self, rse: str, lfns: Sequence[Lfn]) -> dict[Lfn, GateDecision]:
        releases = self.releases.of([CopyKey(lfn, rse) for lfn in lfns])
        known = self.reader.evidence.known([one.lfn for one in releases])
        found = dict.fromkeys(lfns, GateDecision(verdict=GateVerdict.UNKNOWN))
        for key, release in releases.items():
            found[key.lfn] = replace(self._judge(release, known), released_at=release.released_at)
        return found

    def _judge(self, release: Release, known: Mapping[CopyKey, CopyEvidence]) -> GateDecision:
        missing = [self._missing(release, other, known) for other in release.relied_on]
        lapsed = tuple(filter(None, missing)) if missing else (_NO_GROUNDS,)
        if not lapsed:
            return GateDecision(verdict=GateVerdict.GOES)
        return replace(self.abandoned(release.rse, release.lfn, release.content.size_bytes), lapsed=lapsed)

    def abandoned(self, rse: str, lfn: Lfn, size_bytes: int) -> GateDecision:
        """Decide about a copy that nobody released, and whose deletion began and broke off."""
        sight, doubt = self._look(rse, lfn, size_bytes)
        return GateDecision(verdict=_WITHOUT_PROOF[sight], doubt=doubt if sight is _Sight.UNCLEAR else "")

    def withdraw(self, rse: str, lfns: Sequence[Lfn]) -> None:
        """Forget that copies were released which are available again; preservation judges them anew."""
        keys = [CopyKey(lfn, rse) for lfn in lfns]
        self.reader.evidence.mark_released(keys, None)
        self.releases.forget(keys)

    def _missing(self, release: Release, rse: str, known: Mapping[CopyKey, CopyEvidence]) -> str:
        """Return why a copy proves nothing now; empty when its last reading does and it lies there whole."""
        one = known.get(CopyKey(release.lfn, rse))
        if one is None or not self._proves(one, release):
            return f"the copy at {rse} {_unproven(one, release)}"
        sight, words = self._look(rse, release.lfn, release.content.size_bytes)
        return "" if sight is _Sight.WHOLE else f"the copy at {rse} cannot be seen whole: {words}"

    def _proves(self, one: CopyEvidence, release: Release) -> bool:
        return one.released_at is None and self.reader.proves(one, release.content)

    def _look(self, rse: str, lfn: Lfn, wanted_bytes: int) -> tuple[_Sight, str]:
        """Look at a copy without reading it; also say what was seen."""
        if rse not in self.url_prefixes:
            return _Sight.UNCLEAR, f"{rse} is no storage of this system any more"
        try:
            size_bytes = self.reader.size_bytes(rse, self.url_prefixes[rse] + lfn.name)
        except DppsError as error:
            return _Sight.UNCLEAR, error.message
        if size_bytes is None:
            return _Sight.GONE, "there is nothing under its name"
        if size_bytes != wanted_bytes:
            return _Sight.UNCLEAR, f"it has {size_bytes} bytes instead of {wanted_bytes}"
        return _Sight.WHOLE, ""


_NO_GROUNDS: Final = "the release names no copy on which it relied"


def _unproven(one: CopyEvidence | None, release: Release) -> str:
    """Say why the last reading of a copy proves nothing."""
    if one is None or one.outcome is CopyOutcome.UNVERIFIED or one.verified_at is None:
        return "was never read back"
    if one.released_at is not None:
        return f"was freed itself at {one.released_at:%Y-%m-%d %H:%M} UTC"
    read = f"when it was last read back, at {one.verified_at:%Y-%m-%d %H:%M} UTC"
    if one.outcome is not CopyOutcome.INTACT:
        return f"was {one.outcome.value} {read}: {one.problem}"
    if one.content != release.content:
        return f"had other bytes than the file {read}"
    return f"was intact {read}, which is too long ago or in the future"


class _Sight(Enum):
    """What a look at a copy shows; nothing is read."""

    WHOLE = "of the right size"
    GONE = "nothing is there"
    UNCLEAR = "its storage does not answer, or it has another size"


_WITHOUT_PROOF: Final = {
    _Sight.WHOLE: GateVerdict.STAYS,
    _Sight.GONE: GateVerdict.GOES,
    _Sight.UNCLEAR: GateVerdict.WAITS,
}
