"""What is asked of the mover, and what it knows of each job and file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from dpps.data.transfers.failures import Failure
from dpps.data.transfers.lanes import DEFAULT_ACTIVITY, UNKNOWN_LANE, Lane
from dpps.data.transfers.states import FINAL_STATES, FileState, JobState, JobType, job_state
from dpps.domain.files import FileContent

__all__ = ["Claim", "FileRequest", "JobRequest", "QueueSummary", "Settlement", "TransferFile", "TransferJob"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """One file to be moved."""

    sources: tuple[str, ...]
    """Alternatives, the first is preferred."""
    destination: str
    checksum: str | None = None
    """``ALGORITHM:value`` as the client gave it."""
    size_bytes: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The client's own, given back unchanged."""
    activity: str = DEFAULT_ACTIVITY
    """Why it is moved, in the client's words; activities share the mover by their weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """Files submitted together."""

    job_id: UUID
    files: tuple[FileRequest, ...]
    job_type: JobType = JobType.REGULAR
    overwrite: bool = False
    verify_checksum: bool = True
    """Whether the bytes must have the given checksum. What was written is always compared with what was
    read."""
    priority: int = 3
    """1 to 5, the highest first."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    """Equal for repetitions of one submission whose answer was lost; empty: never a repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFile:
    """What is known of one file of a job."""

    file_id: int
    request: FileRequest
    state: FileState
    priority: int
    reason: str = ""
    """Why it failed or waits."""
    source_position: int = 0
    """Which of the sources is, or was last, tried."""
    attempts: int = 0
    """Attempts that failed or succeeded; interrupted ones are not counted."""
    cancel_requested: bool = False
    due_at: datetime
    started_at: datetime | None = None
    """Begin of the last attempt."""
    finished_at: datetime | None = None
    found: FileContent | None = None
    """What was at the destination when the file became FINISHED, or stood in the way."""

    @property
    def source(self) -> str:
        """URL of the source in use."""
        return self.request.sources[self.source_position]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferJob:
    """What is known of one job."""

    job_id: UUID
    job_type: JobType
    submitted_at: datetime
    metadata: Mapping[str, Any]
    files: tuple[TransferFile, ...]
    """In the order of the request."""

    @property
    def state(self) -> JobState:
        """State derived from the files."""
        return job_state([file.state for file in self.files], self.job_type)

    @property
    def priority(self) -> int:
        """Priority of all its files."""
        return self.files[0].priority

    @property
    def finished_at(self) -> datetime | None:
        """When the last file became final; None before."""
        if self.state in {JobState.SUBMITTED, JobState.ACTIVE}:
            return None
        return max((file.finished_at for file in self.files if file.finished_at), default=None)

    @property
    def unfinished(self) -> bool:
        """Whether something may still happen."""
        return any(file.state not in FINAL_STATES | {FileState.NOT_USED} for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's hold on one file, for one attempt."""

    file_id: int
    number: int
    """Counts the claims on this file from 1, interrupted ones included: no two attempts share it."""
    worker: int
    request: FileRequest
    source_position: int
    attempts: int
    """Attempts that failed before this one."""
    overwrite: bool
    verify_checksum: bool
    cancel_requested: bool
    lane: Lane = UNKNOWN_LANE
    """The storages between which it moves."""
    started_at: datetime | None = None

    @property
    def source(self) -> str:
        """URL of the source to use."""
        return self.request.sources[self.source_position]

    def token(self, number: int | None = None) -> str:
        """Return the name of the temporary copy of one claim on this file, by default of this one."""
        return f"transfer-{self.file_id}-{number or self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one claim."""

    state: FileState
    """FINISHED, FAILED, CANCELED, or SUBMITTED: to be tried again."""
    reason: str = ""
    due_at: datetime | None = None
    """Not before; for SUBMITTED."""
    source_position: int | None = None
    """Source of the next attempt; None keeps it."""
    counted: bool = True
    """Whether this was an attempt; a worker that stops gives its file back uncounted."""
    found: FileContent | None = None
    failure: Failure | None = None
    """What ended the attempt, when that was a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSummary:
    """Figures of what is unfinished."""

    waiting: int
    active: int
    next_due_at: datetime | None
    """When the earliest waiting file is, or was, due; None when none waits."""
