"""Reading a copy back: the only thing that counts as proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dpps.data.audit.ports import Evidence
from dpps.data.audit.records import CopyEvidence, CopyKey, CopyOutcome
from dpps.data.audit.silence import SilentStorages
from dpps.data.ports import Storage
from dpps.domain.errors import DppsError, NotFound
from dpps.domain.files import ArchivedFile, FileContent, Replica

__all__ = ["Reader", "read_copy", "utc_now"]


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads copies back and remembers what it saw."""

    storage: Storage
    evidence: Evidence
    clock: Callable[[], datetime] = utc_now
    proof_age_max: timedelta = timedelta(days=7)
    """Readings older than this prove nothing any more."""
    silent: SilentStorages | None = None
    """Storages that are not asked again; None: every one is asked every time."""

    def for_one_look(self) -> Reader:
        """Return a reader that does not wait for the same dead storage at every file."""
        return replace(self, silent=SilentStorages())

    def size_bytes(self, rse: str, url: str) -> int | None:
        """Return the size of what lies at a storage, or None when nothing is there.

        Raises
        ------
        DppsError
            When the storage cannot tell.
        """
        return self._ask(rse, lambda: self.storage.size_bytes(url))

    def _ask[Answer](self, rse: str, question: Callable[[], Answer]) -> Answer:
        return question() if self.silent is None else self.silent.ask(rse, question)

    def read(
        self, file: ArchivedFile, replica: Replica, before: Mapping[CopyKey, CopyEvidence]
    ) -> CopyEvidence:
        """Read a copy completely, now, and record the result."""
        asked = self.silent is None or not self.silent.is_silent(replica.rse)

        def read_back(url: str) -> FileContent:
            return self._ask(replica.rse, lambda: self.storage.read_back(url))

        found = read_copy(read_back, file, replica, before.get(CopyKey(file.lfn, replica.rse)), self.clock)
        if asked:
            self.evidence.record([found])
        return found

    def faults(self, file: ArchivedFile, replicas: Sequence[Replica]) -> dict[str, CopyEvidence]:
        """Return the evidence for copies that are not proven intact, by RSE; empty when all are.

        Copies whose last reading is fresh are not read again.
        """
        proofs = self.proofs(file, replicas)
        return {rse: one for rse, one in proofs.items() if one.outcome is not CopyOutcome.INTACT}

    def proofs(self, file: ArchivedFile, replicas: Sequence[Replica]) -> dict[str, CopyEvidence]:
        """Return fresh evidence for each copy, by RSE, reading where there is none."""
        known = self.evidence.known([file.lfn])
        proofs: dict[str, CopyEvidence] = {}
        for replica in replicas:
            one = known.get(CopyKey(file.lfn, replica.rse))
            fresh = one is not None and self.proves(one, file.content)
            proofs[replica.rse] = one if one is not None and fresh else self.read(file, replica, known)
        return proofs

    def absence(self, file: ArchivedFile, replica: Replica) -> str:
        """Return why a copy cannot be there whole at this moment; empty when it looks so. Nothing is read."""
        try:
            size_bytes = self.size_bytes(replica.rse, replica.pfn)
        except DppsError as error:
            return error.message
        if size_bytes is None:
            return f"there is nothing at {replica.pfn}"
        if size_bytes != file.content.size_bytes:
            return f"it has {size_bytes} bytes instead of {file.content.size_bytes}"
        return ""

    def proves(self, one: CopyEvidence, content: FileContent) -> bool:
        """Tell whether a reading still proves that a copy has the content of its file."""
        if one.outcome is not CopyOutcome.INTACT or one.content != content or one.verified_at is None:
            return False
        # A reading from the future was made before the clock was set back: nobody knows its age.
        return timedelta(0) <= self.clock() - one.verified_at <= self.proof_age_max


def read_copy(
    read_back: Callable[[str], FileContent],
    file: ArchivedFile,
    replica: Replica,
    before: CopyEvidence | None,
    clock: Callable[[], datetime] = utc_now,
) -> CopyEvidence:
    """Read a copy completely and compare it with what the catalogue says of the file."""
    content: FileContent | None = None
    try:
        content = read_back(replica.pfn)
        outcome, problem = _compared(file.content, content)
    except NotFound:
        outcome, problem = CopyOutcome.LOST, f"there is nothing at {replica.pfn}"
    except DppsError as error:
        outcome, problem = CopyOutcome.UNREADABLE, error.message
    at = clock()
    unbroken = before is not None and before.outcome is CopyOutcome.INTACT
    since = before.intact_since if before is not None and unbroken else at
    return CopyEvidence(
        lfn=file.lfn,
        rse=replica.rse,
        outcome=outcome,
        verified_at=at,
        intact_since=since if outcome is CopyOutcome.INTACT else None,
        content=content,
        problem=problem,
    )


def _compared(wanted: FileContent, found: FileContent) -> tuple[CopyOutcome, str]:
    if found == wanted:
        return CopyOutcome.INTACT, ""
    problem = (
        f"it has {found.size_bytes} bytes and adler32 {found.adler32} instead of "
        f"{wanted.size_bytes} bytes and {wanted.adler32}"
    )
    return CopyOutcome.DAMAGED, problem
