"""Translation between rows of the schema ``transfers`` and the mover's values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from dpps.data.transfers.lanes import Lane
from dpps.data.transfers.records import Claim, FileRequest, JobRequest, TransferFile, TransferJob
from dpps.data.transfers.states import FileState, JobType
from dpps.domain.files import FileContent

__all__ = ["as_claim", "as_job", "file_values", "job_values"]


def job_values(request: JobRequest, now: datetime) -> dict[str, Any]:
    """Return the columns of a new job."""
    return {
        "id": request.job_id,
        "type": request.job_type.value,
        "overwrite": request.overwrite,
        "verify_checksum": request.verify_checksum,
        "metadata": dict(request.metadata),
        "fingerprint": request.fingerprint,
        "submitted_at": now,
    }


def file_values(request: JobRequest, lanes: Sequence[Sequence[int]], now: datetime) -> list[dict[str, Any]]:
    """Return the columns of the files of a new job, given the lanes of each file's sources."""
    return [
        {
            "job": request.job_id,
            "position": position,
            "sources": list(wanted.sources),
            "destination": wanted.destination,
            "checksum": wanted.checksum,
            "size_bytes": wanted.size_bytes,
            "metadata": dict(wanted.metadata),
            "priority": request.priority,
            "state": (
                FileState.NOT_USED
                if request.job_type is JobType.MULTI_HOP and position > 0
                else FileState.SUBMITTED
            ).value,
            "due_at": now,
            "lane": numbers[0],
            "lanes": list(numbers),
        }
        for position, (wanted, numbers) in enumerate(zip(request.files, lanes, strict=True))
    ]


def as_job(job: Row[Any], files: Sequence[Row[Any]]) -> TransferJob:
    """Return a job with its files, which are given in the order of the request."""
    return TransferJob(
        job_id=job.id,
        job_type=JobType(job.type),
        submitted_at=job.submitted_at,
        metadata=job.metadata,
        files=tuple(_as_file(row) for row in files),
    )


def as_claim(job: Row[Any], file: Row[Any], worker: int, lane: Lane) -> Claim:
    """Return the claim that a worker just made on a file."""
    return Claim(
        file_id=file.id,
        number=file.claims,
        worker=worker,
        request=_as_request(file),
        source_position=file.source_position,
        attempts=file.attempts,
        overwrite=job.overwrite,
        verify_checksum=job.verify_checksum,
        cancel_requested=file.cancel_requested,
        lane=lane,
        started_at=file.started_at,
    )


def _as_request(row: Row[Any]) -> FileRequest:
    return FileRequest(
        sources=tuple(row.sources),
        destination=row.destination,
        checksum=row.checksum,
        size_bytes=row.size_bytes,
        metadata=row.metadata,
    )


def _as_file(row: Row[Any]) -> TransferFile:
    found = None
    if row.found_adler32 is not None:
        found = FileContent(size_bytes=row.found_size_bytes, adler32=row.found_adler32)
    return TransferFile(
        file_id=row.id,
        request=_as_request(row),
        state=FileState(row.state),
        priority=row.priority,
        reason=row.reason,
        source_position=row.source_position,
        attempts=row.attempts,
        cancel_requested=row.cancel_requested,
        due_at=row.due_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        found=found,
    )
