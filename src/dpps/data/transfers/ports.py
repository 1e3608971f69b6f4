"""What the mover needs: a durable queue and storages that can hold a copy aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from dpps.data.ports import Storage
from dpps.data.transfers.records import Claim, JobRequest, QueueSummary, Settlement, TransferJob
from dpps.domain.files import FileContent

__all__ = ["TransferQueue", "TransferStorage", "WorkerSession"]


class WorkerSession(Protocol):
    """Proof that a worker is alive: when it ends, for whatever reason, others may take its files."""

    @property
    def number(self) -> int:
        """Number that no other living worker has."""
        ...

    def wait(self, seconds: float) -> bool:
        """Return True as soon as the queue has changed, False when the time is over.

        Raises
        ------
        Unavailable
            When the session has ended: enrol again.
        """
        ...

    def close(self) -> None:
        """End the session."""
        ...


class TransferQueue(Protocol):
    """Jobs and files in a store that survives everything; the rows are the queue."""

    def enrol(self, number: int | None = None) -> WorkerSession:
        """Begin to work, under a new number or under one's own of before a lost session.

        Raises
        ------
        Conflict
            When another living worker has that number.
        """
        ...

    def submit(self, request: JobRequest, now: datetime) -> UUID:
        """Store a job and return its id: that of the earlier one when this repeats a submission.

        A submission is repeated when the job id exists with the same fingerprint, or when a job with the
        same non-empty fingerprint is unfinished.

        Raises
        ------
        Conflict
            When the job id exists with another fingerprint.
        """
        ...

    def jobs(self, job_ids: Sequence[UUID]) -> list[TransferJob | None]:
        """Return each job, or None for an unknown one, in the order asked."""
        ...

    def cancel(self, job_ids: Sequence[UUID], now: datetime) -> list[TransferJob | None]:
        """Cancel what waits; ask the workers to stop what is active; final files stay as they are."""
        ...

    def prioritise(self, job_id: UUID, priority: int) -> TransferJob | None:
        """Change the priority of a job's files; None when the job is unknown."""
        ...

    def claim(self, worker: int, now: datetime) -> Claim | None:
        """Hand a due file to one worker; None when none may start now.

        The file of highest priority, then of lowest id, of the activity whose turn it is; without shares
        all activities are one. A file whose destination is being written waits, and so does one whose
        storage is banned or rests, or whose link or storage has as many files moving as its limit says.
        """
        ...

    def settle(self, claim: Claim, settlement: Settlement, now: datetime) -> bool:
        """End a claim; False, and no change, when the claim was lost to another worker.

        A finished hop makes the next hop of its job due; a file to be tried again whose job was canceled
        becomes CANCELED.
        """
        ...

    def cancel_requested(self, claim: Claim) -> bool:
        """Tell whether this work is still wanted: True when canceled or when the claim was lost."""
        ...

    def recover(self, now: datetime) -> int:
        """Give files that dead workers hold back to the queue; return how many.

        Canceled ones too: the next claim removes what the dead worker left, then settles as CANCELED.
        """
        ...

    def summary(self) -> QueueSummary:
        """Return figures of the whole queue."""
        ...

    def cancel_for_storage(self, storage: str, reason: str, now: datetime) -> int:
        """Cancel what waits to be moved from or to what a storage's name means; return how many files.

        What an interrupted attempt left there is removed by the next transfer to that name, or found by the
        audit: a storage that is banned is not touched.
        """
        ...

    def purge(self, before: datetime) -> int:
        """Forget jobs that were submitted before a time and have nothing unfinished; return how many."""
        ...


class TransferStorage(Storage, Protocol):
    """A storage where a copy can be made beside its destination and published in one step."""

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent | None, FileContent]:
        """Copy to a temporary name that belongs to the token; replace a leftover of the same token.

        Parameters
        ----------
        source_url, destination_url : str
            The final name at the destination is not touched.
        token : str
            File-name-safe text.
        proceed : callable
            Called before every chunk; what it raises ends the copy.

        Returns
        -------
        tuple of FileContent or None, and FileContent
            What was read at the source, None where the bytes went from one storage to the other without
            passing through us, and what was read back at the destination.

        Raises
        ------
        DppsError
            With the URL of the end that failed in its identifier ``url``.
        """
        ...

    def publish(self, destination_url: str, token: str) -> None:
        """Give the copy its final name in one step, in place of any file that has it."""
        ...

    def discard(self, destination_url: str, token: str) -> None:
        """Remove what `copy_aside` left under this token; absent is no error."""
        ...
