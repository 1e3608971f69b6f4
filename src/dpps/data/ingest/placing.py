"""Bringing a file that was read to the on-site storage, under a name that nothing else has."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dpps.data.handover import HandedFile, Signature
from dpps.data.ingest.reading import Reading, changed
from dpps.data.ingest.values import IngestSettings
from dpps.data.ports import Registration, Storage
from dpps.domain.errors import Conflict, DamagedFile, InvalidInput, NotFound
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["Candidate", "Placing", "candidate_of"]


@dataclass(slots=True)
class Candidate:
    """A file on its way through the pass."""

    handed: HandedFile
    signature: Signature
    """State of file and trigger while they were read."""
    registration: Registration
    lies_in_place: bool
    """Whether the hand-over folder is the storage, and the file is where it will stay."""
    known: ArchivedFile | None = None
    """What the catalogue has under the name."""

    @property
    def lfn(self) -> Lfn:
        """Name in the archive."""
        return self.registration.lfn

    @property
    def is_archived(self) -> bool:
        """Whether nothing is left to do: attaching is the last step of an earlier pass.

        A file that lies in the storage where the catalogue has freed its copy is registered there again:
        else nobody would know of it, and its bytes would stay for ever.
        """
        if self.known is None or self.known.dataset is None:
            return False
        return not self.lies_in_place or any(one.rse == self.registration.rse for one in self.known.replicas)


def candidate_of(reading: Reading, settings: IngestSettings, prefixes: Mapping[str, str]) -> Candidate:
    """Return how a file would be registered.

    Raises
    ------
    InvalidInput
        When the catalogue has no storage at its site.
    """
    product, handed = reading.product, reading.handed
    rse = settings.in_place_rse or product.array_site.upper()
    if rse not in prefixes:
        raise InvalidInput(
            f"the catalogue knows no on-site storage {rse}",
            code="rse-unknown",
            next_step="add the site, or name another with --array-site",
            rse=rse,
        )
    registration = Registration(
        lfn=product.lfn,
        rse=rse,
        content=reading.content,
        metadata=product.metadata,
        dataset=product.dataset,
    )
    in_place = settings.in_place_rse is not None and product.lfn.name == f"/{handed.relative}"
    return Candidate(handed, reading.signature, registration, in_place)


class Placing:
    """Decides whether names are free, and copies.

    Parameters
    ----------
    storage : Storage
        Where copies go.
    prefixes : mapping of str to str
        URL prefix of each storage.
    settings : IngestSettings
        What the pass is about.
    """

    def __init__(self, storage: Storage, prefixes: Mapping[str, str], settings: IngestSettings) -> None:
        self._storage = storage
        self._prefixes = prefixes
        self._settings = settings
        self._first: dict[Lfn, tuple[Registration, Path]] = {}

    def check_name(self, candidate: Candidate) -> None:
        """Check that neither another file of the pass nor the archive has the name for other content.

        Raises
        ------
        Conflict
            When one has.
        DamagedFile
            When the handed-over file, which would be removed, may be the last good copy.
        """
        wanted, path = candidate.registration, candidate.handed.path
        twin, first = self._first.setdefault(candidate.lfn, (wanted, path))
        if twin.content != wanted.content:
            raise _taken(candidate, f"{first}, handed over too")
        known = candidate.known
        if known is not None and known.content != wanted.content:
            raise _taken(candidate, "a file in the archive")
        if known is not None and candidate.is_archived and self.is_to_be_removed(candidate):
            self._check_good_copy(known, path)

    def is_to_be_removed(self, candidate: Candidate) -> bool:
        """Tell whether the handed-over file goes when it is archived."""
        return self._settings.remove_handed_over and not candidate.lies_in_place

    def bring_on_site(self, candidate: Candidate) -> None:
        """Make sure that the on-site storage holds the inspected bytes under the final name.

        Raises
        ------
        Unavailable
            When the file is not any more as it was read.
        Conflict
            When the storage has another file of that name.
        """
        wanted = candidate.registration
        url = self._prefixes[wanted.rse] + wanted.lfn.name
        if candidate.is_archived:
            # No copy is made where it was freed: the on-site link is used once per file.
            if self._is_damaged_on_site(candidate):
                self._storage.delete(url)
                self._copy(candidate, url)
            return
        size_bytes = self._storage.size_bytes(url)
        if candidate.lies_in_place:
            # What was inspected is what the storage holds: reading it again would show nothing new.
            if size_bytes != wanted.content.size_bytes:
                raise changed(candidate.handed)
            return
        if size_bytes is not None and self._storage.read_back(url) == wanted.content:
            return  # copied by a pass that was killed
        if candidate.known is not None:
            self._storage.delete(url)  # registered with these bytes and damaged since: it is written anew
        self._copy(candidate, url)

    def _is_damaged_on_site(self, candidate: Candidate) -> bool:
        """Tell whether the archive counts on an on-site copy that is not what it should be."""
        known, rse = candidate.known, candidate.registration.rse
        if known is None or candidate.lies_in_place:
            return False
        here = [one for one in known.replicas if one.rse == rse and one.state is ReplicaState.AVAILABLE]
        return any(not self._is_good(known, one) for one in here)

    def _copy(self, candidate: Candidate, url: str) -> None:
        """Copy aside, then move: another pass may be writing another file that would have the same name."""
        wanted, storage = candidate.registration, self._storage
        aside = self._aside_url(wanted)
        if storage.upload(candidate.handed.path, aside) != wanted.content:
            storage.delete(aside)
            raise changed(candidate.handed)
        try:
            storage.rename(aside, url)
        except Conflict as taken:
            storage.delete(aside)
            if storage.read_back(url) != wanted.content:
                raise _taken(candidate, f"a file at {wanted.rse} that the catalogue does not know") from taken

    def _aside_url(self, wanted: Registration) -> str:
        """Return one temporary URL a file, so that what a killed pass left is used by the next."""
        content = wanted.content
        text = f"{wanted.lfn} {content.size_bytes} {content.adler32}"
        parts = [self._settings.vo, "tmp", "ingest", uuid.uuid5(uuid.NAMESPACE_URL, text).hex]
        return f"{self._prefixes[wanted.rse]}/{'/'.join(parts)}"

    def _check_good_copy(self, known: ArchivedFile, path: Path) -> None:
        if not any(self._is_good(known, replica) for replica in known.replicas):
            raise DamagedFile(
                f"{path} is known as {known.lfn}, of which the archive has no good copy now",
                code="archive-copies-bad",
                next_step=f"see its copies: dpps data info {known.lfn}; this file is kept",
                path=path,
                lfn=known.lfn,
            )

    def _is_good(self, file: ArchivedFile, replica: Replica) -> bool:
        if replica.state is not ReplicaState.AVAILABLE:
            return False
        try:
            return self._storage.read_back(replica.pfn) == file.content
        except NotFound:
            return False


def _taken(candidate: Candidate, other: str) -> Conflict:
    return Conflict(
        f"{candidate.handed.path} would be named {candidate.lfn}; so is {other}, with other content",
        code="lfn-taken",
        next_step="a name is never reused: hand the file over under another run number, or remove it",
        path=candidate.handed.path,
        lfn=candidate.lfn,
    )
