"""Calls that list what moved and what moves: FTS3's own, and below ``/dpps`` those that it lacks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Query

from dpps.data.transfers.history import Attempt, JobFilter, TransferHistory
from dpps.data.transfers.ports import TransferQueue
from dpps.data.transfers.records import TransferJob
from dpps.data.transfers.states import FileState
from dpps.domain.errors import InvalidInput, NotFound

__all__ = ["add_listing"]

_LIMIT_MAX = 500
"""FTS3's."""


def add_listing(application: FastAPI, queue: TransferQueue, history: TransferHistory, vo: str) -> None:
    """Add the calls; to be called before ``/jobs/{job_id}`` exists, which would take their paths."""
    _add_jobs(application, queue, history, vo)
    _add_figures(application, history)


def _add_jobs(application: FastAPI, queue: TransferQueue, history: TransferHistory, vo: str) -> None:
    @application.get("/jobs")
    def list_jobs(
        state_in: str | None = None,
        source_se: str | None = None,
        dest_se: str | None = None,
        time_window: str | None = None,
        limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = _LIMIT_MAX,
    ) -> list[dict[str, Any]]:
        """List jobs, the newest first; without ``state_in`` those that are not final."""
        wanted = JobFilter(
            states=_states(state_in),
            source=source_se,
            destination=dest_se,
            submitted_after=_after(time_window),
            limit=limit,
        )
        found = queue.jobs(history.job_ids(wanted))
        return [_job(job, vo) for job in found if job is not None]

    @application.get("/jobs/{job_id}/files/{file_id}/retries")
    def retries(job_id: str, file_id: int) -> list[dict[str, Any]]:
        """List the failed attempts at one file, the first first."""
        _known(queue, job_id, file_id)
        attempts = reversed(history.attempts(file_id=file_id, limit=_LIMIT_MAX))
        return [
            {
                "file_id": file_id,
                "attempt": one.number,
                "datetime": one.finished_at.strftime("%Y-%m-%dT%H:%M:%S"),
                "reason": one.reason,
            }
            for one in attempts
            if one.failure
        ]


def _known(queue: TransferQueue, job_id: str, file_id: int) -> None:
    try:
        (job,) = queue.jobs([UUID(job_id)])
    except ValueError:
        job = None
    if job is None:
        raise NotFound(f'No job with the id "{job_id}" has been found', next_step="check the id", job=job_id)
    if all(one.file_id != file_id for one in job.files):
        raise NotFound(f"No file with the id {file_id} in that job", next_step="list the job's files")


def _states(listed: str | None) -> list[FileState]:
    try:
        return [FileState(name) for name in (listed or "").split(",") if name]
    except ValueError as wrong:
        raise InvalidInput(str(wrong), next_step=f"use of: {', '.join(FileState)}") from wrong


def _after(window: str | None) -> datetime | None:
    """Return the begin of FTS3's time window, ``hours[:minutes]``."""
    if not window:
        return None
    hours, _, minutes = window.partition(":")
    try:
        return datetime.now(UTC) - timedelta(hours=int(hours), minutes=int(minutes or 0))
    except (ValueError, OverflowError) as wrong:
        raise InvalidInput(
            f"time_window {window!r} is no hours:minutes", next_step="write 12 or 0:30"
        ) from wrong


def _job(job: TransferJob, vo: str) -> dict[str, Any]:
    finished = job.finished_at
    reasons = [file.reason for file in job.files if file.reason]
    return {
        "job_id": str(job.job_id),
        "job_state": job.state.value,
        "job_type": job.job_type.value,
        "job_metadata": dict(job.metadata),
        "priority": job.priority,
        "submit_time": job.submitted_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "job_finished": finished.strftime("%Y-%m-%dT%H:%M:%S") if finished else None,
        "reason": reasons[0] if reasons else None,
        "vo_name": vo,
    }


def _add_figures(application: FastAPI, history: TransferHistory) -> None:
    @application.get("/dpps/links")
    def links(seconds: Annotated[float, Query(gt=0, le=86400)] = 60.0) -> list[dict[str, Any]]:
        """Show what every link does now and did in the last seconds."""
        since = datetime.now(UTC) - timedelta(seconds=seconds)
        return [asdict(one) for one in history.links(since)]

    @application.get("/dpps/storages")
    def storages() -> list[dict[str, Any]]:
        """Show the storages that failed lately, and until when they rest."""
        return [asdict(one) for one in history.breakers()]

    @application.get("/dpps/attempts")
    def attempts(
        name: str | None = None,
        since: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> list[dict[str, Any]]:
        """Show the last attempts, of one name or of all, the newest first."""
        return [_attempt(one) for one in history.attempts(name=name, since=since, limit=limit)]


def _attempt(one: Attempt) -> dict[str, Any]:
    facts = asdict(one)
    return facts | {"seconds": (one.finished_at - one.started_at).total_seconds()}
