"""The HTTP side: FTS3's REST interface, health and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dpps.data.transfers.history import TransferHistory
from dpps.data.transfers.limits import LimitsStore
from dpps.data.transfers.ports import TransferQueue
from dpps.data.transfers.records import TransferJob
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound, Unavailable
from dpps.services.health import METRICS_MEDIA_TYPE
from dpps.services.transfers.callers import CALLER
from dpps.services.transfers.configuration import add_configuration
from dpps.services.transfers.crew import Crew
from dpps.services.transfers.listing import add_listing
from dpps.services.transfers.messages import (
    FileAnswer,
    JobAnswer,
    PriorityMessage,
    Refusal,
    Submission,
    SubmissionAnswer,
    Version,
    WhoAmI,
)
from dpps.services.transfers.metrics import TransferMetrics
from dpps.services.transfers.translation import (
    BASE_ID,
    as_answer,
    as_file_answers,
    as_request,
    unknown_job,
)
from dpps.services.transfers.unsupported import add_unsupported

__all__ = ["build_application"]

_STATUS: dict[type[DppsError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status.value: {"model": Refusal, "description": status.phrase} for status in _STATUS.values()
}


def build_application(
    queue: TransferQueue,
    limits: LimitsStore,
    history: TransferHistory,
    crew: Crew,
    metrics: TransferMetrics,
    vo: str,
) -> FastAPI:
    """Return the application; its interface description is served at ``/openapi.json``."""
    application = FastAPI(title="dpps transfers", version="1", responses=_REFUSALS)
    _refuse_like_fts(application)
    _add_state(application, crew, metrics)
    _add_identity(application, vo)
    add_configuration(application, limits, queue)
    add_unsupported(application)
    add_listing(application, queue, history, vo)
    _add_jobs(application, _Jobs(queue=queue, vo=vo))
    return application


@dataclass(frozen=True, slots=True)
class _Jobs:
    """What the job calls share."""

    queue: TransferQueue
    vo: str

    def answers(self, listed: str, jobs: Sequence[TransferJob | None], fields: str | None) -> JSONResponse:
        """Answer for every id of a list; for one id without fields, FTS3 gives no list."""
        names = _names(listed)
        wanted = None if fields is None else [field for field in fields.split(",") if field]
        answers = [
            unknown_job(name) if job is None else as_answer(job, wanted)
            for name, job in zip(names, jobs, strict=True)
        ]
        if len(names) == 1 and fields is None:
            if jobs[0] is None:
                raise _unknown(names[0])
            return JSONResponse(answers[0].model_dump(exclude_none=True))
        missing = sum(job is None for job in jobs)
        status = HTTPStatus.OK if not missing else HTTPStatus.MULTI_STATUS
        if missing == len(names):
            status = HTTPStatus.NOT_FOUND
        return JSONResponse([answer.model_dump(exclude_none=True) for answer in answers], status)

    def known(self, listed: str) -> list[UUID | None]:
        """Return the ids of a list; None for what cannot be one."""
        return [_uuid(name) for name in _names(listed)]

    def read(self, listed: str) -> list[TransferJob | None]:
        """Return each job of a list, or None."""
        ids = self.known(listed)
        found = iter(self.queue.jobs([job_id for job_id in ids if job_id is not None]))
        return [None if job_id is None else next(found) for job_id in ids]

    def cancel(self, listed: str) -> list[TransferJob | None]:
        """Cancel each job of a list; return it, or None."""
        ids = self.known(listed)
        done = iter(self.queue.cancel([job_id for job_id in ids if job_id is not None], _now()))
        return [None if job_id is None else next(done) for job_id in ids]


def _add_jobs(application: FastAPI, jobs: _Jobs) -> None:
    @application.post("/jobs")
    @application.put("/jobs", include_in_schema=False)
    def submit(submission: Submission) -> SubmissionAnswer:
        """Submit files; a repetition whose first answer was lost gets the id of the first."""
        job_id = jobs.queue.submit(as_request(submission, jobs.vo), _now())
        return SubmissionAnswer(job_id=str(job_id))

    @application.get("/jobs/{job_ids}", response_model=list[JobAnswer] | JobAnswer)
    def query(job_ids: str, files: Annotated[str | None, Query()] = None) -> JSONResponse:
        """Tell the state of one job or of several (ids joined by commas), with fields of their files."""
        return jobs.answers(job_ids, jobs.read(job_ids), files)

    @application.delete("/jobs/{job_ids}", response_model=list[JobAnswer] | JobAnswer)
    def cancel(job_ids: str) -> JSONResponse:
        """Cancel what waits at once, and what is being copied within about a second."""
        return jobs.answers(job_ids, jobs.cancel(job_ids), None)

    @application.post("/jobs/{job_id}")
    def prioritise(job_id: str, message: PriorityMessage) -> JobAnswer:
        """Change the priority, 1 to 5, the highest first."""
        identifier = _uuid(job_id)
        job = identifier and jobs.queue.prioritise(identifier, message.params.priority)
        if not job:
            raise _unknown(job_id)
        return as_answer(job, None)

    @application.get("/jobs/{job_id}/files")
    def list_files(job_id: str) -> list[FileAnswer]:
        """Tell all that is known of the files of one job."""
        (job,) = jobs.read(job_id) if "," not in job_id else [None]
        if job is None:
            raise _unknown(job_id)
        return as_file_answers(job)


def _add_identity(application: FastAPI, vo: str) -> None:
    @application.get("/")
    def version() -> Version:
        """Tell what this service is."""
        return Version()

    @application.get("/whoami")
    def whoami(request: Request) -> WhoAmI:
        """Tell who the caller is, by the certificate that it shows."""
        caller = str(request.scope.get(CALLER))
        return WhoAmI(
            base_id=str(BASE_ID),
            vos=[vo],
            user_dn=f"/O=dpps/CN={caller}",
            delegation_id=caller,
            method="certificate",
        )


def _add_state(application: FastAPI, crew: Crew, metrics: TransferMetrics) -> None:
    @application.get("/healthz")
    def health() -> JSONResponse:
        """Tell whether files are moved, else why not."""
        if crew.problem is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": crew.problem}, HTTPStatus.SERVICE_UNAVAILABLE)

    @application.get("/metrics", include_in_schema=False)
    def figures() -> Response:
        """Give the figures of this service in Prometheus' text format."""
        return Response(metrics.text(), media_type=METRICS_MEDIA_TYPE)


def _refuse_like_fts(application: FastAPI) -> None:
    @application.exception_handler(RequestValidationError)
    def refuse_message(request: Request, wrong: RequestValidationError) -> JSONResponse:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _refusal(HTTPStatus.BAD_REQUEST, f"{place}: {first['msg']}")

    @application.exception_handler(DppsError)
    def refuse(request: Request, error: DppsError) -> JSONResponse:
        status = next(
            (status for kind, status in _STATUS.items() if isinstance(error, kind)),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )
        return _refusal(status, f"{error.message}; {error.next_step}")

    @application.exception_handler(HTTPException)
    def refuse_path(request: Request, error: HTTPException) -> JSONResponse:
        return _refusal(HTTPStatus(error.status_code), f"{request.method} {request.url.path}: {error.detail}")


def _refusal(status: HTTPStatus, message: str) -> JSONResponse:
    refusal = Refusal(status=f"{status.value} {status.phrase}", message=message)
    return JSONResponse(refusal.model_dump(), status)


def _names(listed: str) -> list[str]:
    return [name for name in listed.split(",") if name]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _unknown(job_id: str) -> NotFound:
    return NotFound(
        f"there is no job with the id {job_id!r}", code="job-unknown", next_step="check the id", job=job_id
    )


def _now() -> datetime:
    return datetime.now(UTC)
