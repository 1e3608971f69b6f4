"""Translation between FTS3's messages and the mover's values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from dpps.data.transfers.lanes import DEFAULT_ACTIVITY
from dpps.data.transfers.records import FileRequest, JobRequest, TransferFile, TransferJob
from dpps.data.transfers.states import FileState, JobType
from dpps.domain.errors import InvalidInput
from dpps.services.transfers.messages import FileAnswer, JobAnswer, JobParameters, Submission

__all__ = ["BASE_ID", "as_answer", "as_file_answers", "as_request", "unknown_job"]

BASE_ID: Final = UUID("01874efb-4735-4595-bc9c-591aef8240c9")
"""FTS3's own root of deterministic job ids."""

_PRIORITY_DEFAULT: Final = 3
_FAILING: Final = (FileState.FAILED, FileState.CANCELED)


def as_request(submission: Submission, vo: str) -> JobRequest:
    """Return the job that a submission asks for.

    Raises
    ------
    InvalidInput
        When a deterministic id is wanted without its seed, or hops do not form a path.
    """
    parameters = submission.params
    files = tuple(
        FileRequest(
            sources=tuple(message.sources),
            destination=message.destinations[0],
            checksum=message.checksum,
            size_bytes=message.filesize,
            metadata=message.metadata or {},
            activity=message.activity or DEFAULT_ACTIVITY,
        )
        for message in submission.files
    )
    return JobRequest(
        job_id=_job_id(parameters, vo),
        files=files,
        job_type=_job_type(parameters, files),
        overwrite=bool(parameters.overwrite),
        verify_checksum=parameters.verify_checksum not in {None, False, "none"},
        priority=min(max(parameters.priority or _PRIORITY_DEFAULT, 1), 5),
        metadata=parameters.job_metadata or {},
        fingerprint=_fingerprint(submission),
    )


def as_answer(job: TransferJob, fields: Collection[str] | None) -> JobAnswer:
    """Return what a client is told of a job, with the given fields of each file; None: no files."""
    reasons = [file.reason for file in job.files if file.state in _FAILING and file.reason]
    files = None
    if fields is not None:
        files = [answer.model_dump(include=set(fields) or None) for answer in as_file_answers(job)]
    return JobAnswer(
        http_status="200 Ok",
        job_id=str(job.job_id),
        job_state=job.state.value,
        job_type=job.job_type.value,
        job_metadata=dict(job.metadata),
        priority=job.priority,
        submit_time=_time(job.submitted_at),
        job_finished=_time(job.finished_at),
        reason=reasons[0] if reasons else None,
        files=files,
    )


def as_file_answers(job: TransferJob) -> list[FileAnswer]:
    """Return what a client is told of the files of a job."""
    return [_file_answer(job.job_id, position, file) for position, file in enumerate(job.files)]


def unknown_job(job_id: str) -> JobAnswer:
    """Return the answer for a job that this service does not know."""
    return JobAnswer(
        http_status="404 Not Found", job_id=job_id, http_message=f"there is no job with the id {job_id!r}"
    )


def _file_answer(job_id: UUID, position: int, file: TransferFile) -> FileAnswer:
    ended = file.finished_at if file.started_at else None
    return FileAnswer(
        file_id=file.file_id,
        file_index=position,
        job_id=str(job_id),
        file_state=file.state.value,
        source_surl=file.source,
        dest_surl=file.request.destination,
        reason=file.reason or None,
        start_time=_time(file.started_at),
        finish_time=_time(file.finished_at),
        tx_duration=(ended - file.started_at).total_seconds() if ended and file.started_at else None,
        retry=file.attempts,
        user_filesize=file.request.size_bytes,
        filesize=file.found.size_bytes if file.found else None,
        checksum=file.request.checksum,
        dpps_due_time=_time(file.due_at) if file.state is FileState.SUBMITTED else None,
        file_metadata=_metadata(file),
    )


def _metadata(file: TransferFile) -> dict[str, Any]:
    metadata = dict(file.request.metadata)
    if file.found is not None:
        # Rucio decides by this whether a destination that was in the way is the file it wants.
        metadata["dst_file"] = {
            "file_size": file.found.size_bytes,
            "checksum_type": "ADLER32",
            "checksum_value": file.found.adler32,
        }
    return metadata


def _job_id(parameters: JobParameters, vo: str) -> UUID:
    if parameters.id_generator == "standard":
        return uuid4()
    if parameters.sid is None:
        raise InvalidInput(
            "params.id_generator is 'deterministic' and params.sid is missing",
            code="sid-missing",
            next_step="give params.sid, or leave params.id_generator out",
        )
    return uuid5(uuid5(BASE_ID, vo), parameters.sid)


def _job_type(parameters: JobParameters, files: tuple[FileRequest, ...]) -> JobType:
    if parameters.multihop:
        for hop, next_hop in pairwise(files):
            if hop.destination not in next_hop.sources:
                raise InvalidInput(
                    f"params.multihop is set, and {hop.destination!r} is no source of the hop after it",
                    code="hops-apart",
                    next_step="let each hop begin where the one before it ends",
                )
        return JobType.MULTI_HOP
    several = any(len(file.sources) > 1 for file in files)
    return JobType.MULTIPLE_REPLICA if several else JobType.REGULAR


def _fingerprint(submission: Submission) -> str:
    """Return the same text for repetitions of one submission, empty where repetitions cannot be told.

    Only a client that names each of its requests (Rucio does) can mean the same submission twice; from
    others, two equal submissions are two jobs.
    """
    named = all((file.metadata or {}).get("request_id") for file in submission.files)
    if not named and submission.params.sid is None:
        return ""
    return hashlib.sha256(json.dumps(submission.model_dump(), sort_keys=True).encode()).hexdigest()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
