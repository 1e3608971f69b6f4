"""The HTTP side: reports of jobs, productions, health and figures."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict

from dpps.domain.errors import (
    Conflict,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    Unavailable,
)
from dpps.domain.principals import Principal
from dpps.services.health import METRICS_MEDIA_TYPE
from dpps.services.limited_bodies import LimitedBodies
from dpps.services.workload.driver import AgentDriver
from dpps.services.workload.metrics import WorkloadMetrics
from dpps.workload.bundle import REPORT_BYTES, JobReport, JobStart
from dpps.workload.context import WorkloadContext
from dpps.workload.definition import ProductionDefinition
from dpps.workload.planning import PlanningParts, summarize_plan
from dpps.workload.progress import (
    ProductionStatus,
    ProductionSummary,
    list_productions,
    production_status,
)
from dpps.workload.reporting import finish_job
from dpps.workload.starting import begin_job
from dpps.workload.steering import Cancellation, cancel_production
from dpps.workload.submission import submit_production

__all__ = ["build_application"]

_STATUS: dict[type[DppsError], HTTPStatus] = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    NotAuthorized: HTTPStatus.FORBIDDEN,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Announcement(BaseModel):
    """A job's word that it begins."""

    model_config = ConfigDict(extra="forbid")

    host: str
    at: AwareDatetime


class Wanted(BaseModel):
    """Whether what a job did is wanted."""

    wanted: bool


class Submission(BaseModel):
    """A production, complete in itself."""

    model_config = ConfigDict(extra="forbid")

    definition: ProductionDefinition
    pass_is_given: bool = False
    """Whether the pass in the definition is prescribed; else the first free one is taken."""


class Verdict(BaseModel):
    """Health of the service."""

    healthy: bool
    reason: str


Authenticate = Callable[[str], Principal]


def build_application(context: WorkloadContext, driver: AgentDriver, authenticate: Authenticate) -> FastAPI:
    """Return the application; its interface description is served at ``/openapi.json``.

    Parameters
    ----------
    context : WorkloadContext
        Ports and settings.
    driver : AgentDriver
        The agent's thread.
    authenticate : callable
        Returns whom a bearer token stands for.
    """
    application = FastAPI(title="dpps workload", version="1")
    application.add_exception_handler(DppsError, _refuse)
    application.add_exception_handler(RequestValidationError, _refuse_message)
    application.add_middleware(LimitedBodies, limit_bytes=REPORT_BYTES)

    def caller(authorization: Annotated[str, Header()] = "") -> Principal:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthorized(
                "the request carries no bearer token",
                code="token-missing",
                next_step="send the header 'Authorization: Bearer <token>'",
            )
        return authenticate(token)

    _add_state(application, driver, WorkloadMetrics(context, driver))
    _add_jobs(application, context, driver, caller)
    _add_productions(application, context, caller)
    return application


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, DppsError):
        raise error
    known = (kind for kind in type(error).__mro__ if kind in _STATUS)
    status = _STATUS.get(next(known, DppsError), HTTPStatus.INTERNAL_SERVER_ERROR)
    return JSONResponse({"error": error.as_dict()}, status_code=status)


async def _refuse_message(_request: Request, error: Exception) -> Response:
    """Name everything that is wrong with a message, in our own form of an error."""
    if not isinstance(error, RequestValidationError):
        raise error
    places = [".".join(str(part) for part in one["loc"] if part != "body") for one in error.errors()]
    problems = [f"{place}: {one['msg']}" for place, one in zip(places, error.errors(), strict=True)]
    refusal = InvalidInput(
        f"the message is refused: {'; '.join(problems[:10])}",
        code="message-invalid",
        next_step="compare it with /openapi.json of this service, which tells the limits too",
    )
    return JSONResponse({"error": refusal.as_dict()}, status_code=HTTPStatus.UNPROCESSABLE_ENTITY)


def _add_state(application: FastAPI, driver: AgentDriver, metrics: WorkloadMetrics) -> None:
    @application.get("/healthz", response_model=Verdict)
    def healthz() -> Response:
        """Say whether the agent works."""
        health = driver.health
        status = HTTPStatus.OK if health.healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"healthy": health.healthy, "reason": health.reason}, status_code=status)

    @application.get("/metrics")
    def figures() -> Response:
        """Return figures in Prometheus' text format."""
        return Response(metrics.text(), media_type=METRICS_MEDIA_TYPE)


def _add_jobs(
    application: FastAPI, context: WorkloadContext, driver: AgentDriver, caller: Callable[..., Principal]
) -> None:
    @application.post("/jobs/{job}/start")
    def start(job: str, message: Announcement, principal: Annotated[Principal, Depends(caller)]) -> JobStart:
        """Note that a job begins; the answer opens the storages to it for its wall time."""
        answer = begin_job(principal, context, job)
        structlog.get_logger(__name__).info("job started", job=job, host=message.host, wanted=answer.wanted)
        return answer

    @application.post("/jobs/{job}/report")
    def report(job: str, message: JobReport, principal: Annotated[Principal, Depends(caller)]) -> Wanted:
        """Take the report of a job that has ended; repeating it changes nothing."""
        wanted = finish_job(principal, context.store, job, message, now=context.clock())
        structlog.get_logger(__name__).info(
            "job reported", job=job, exit_reason=message.exit_reason.value, wanted=wanted
        )
        driver.wake()
        return Wanted(wanted=wanted)


def _add_productions(
    application: FastAPI, context: WorkloadContext, caller: Callable[..., Principal]
) -> None:
    @application.get("/productions")
    def productions(principal: Annotated[Principal, Depends(caller)]) -> list[ProductionSummary]:
        """List the productions, the newest first."""
        return list_productions(principal, context.store)

    @application.get("/productions/{name}")
    def status(name: str, principal: Annotated[Principal, Depends(caller)]) -> ProductionStatus:
        """Say how far a production is."""
        return production_status(principal, context.store, name)

    @application.post("/productions/{name}/cancel")
    def cancel(name: str, principal: Annotated[Principal, Depends(caller)]) -> Cancellation:
        """End a production early; repeating the call changes nothing."""
        return cancel_production(principal, context.store, name, now=context.clock())

    @application.post("/productions", status_code=HTTPStatus.CREATED)
    def submit(message: Submission, principal: Annotated[Principal, Depends(caller)]) -> dict[str, Any]:
        """Submit a production; return its plan."""
        plan = submit_production(
            principal,
            context.store,
            PlanningParts(
                catalogue=context.catalogue, datasets=context.datasets, processes=context.processes
            ),
            message.definition,
            pass_is_given=message.pass_is_given,
            vo=context.vo,
            now=context.clock(),
        )
        return summarize_plan(plan)
