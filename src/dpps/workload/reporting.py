"""What jobs say about themselves, taken into the store. Repeating a report changes nothing."""

from __future__ import annotations

from datetime import datetime

from dpps.domain.errors import InvalidInput, NotAuthorized
from dpps.domain.principals import Action, Principal, Role, authorize
from dpps.domain.work import ExitReason, JobState
from dpps.workload.bundle import JobReport
from dpps.workload.ports import WorkStore
from dpps.workload.records import Job

__all__ = ["finish_job", "job_principal", "start_job"]


def job_principal(job: str) -> Principal:
    """Return the identity of a job: it may report on itself only."""
    return Principal(name=f"job:{job}", roles=frozenset({Role.JOB}))


def _authorize_job(principal: Principal, job: str) -> None:
    authorize(principal, Action.REPORT_JOB, f"job {job}")
    if principal.roles == {Role.JOB} and principal.name != f"job:{job}":
        raise NotAuthorized(
            f"{principal.name} may not report on job {job}",
            next_step="report with the token of the job's own bundle",
            principal=principal.name,
            job=job,
        )


def start_job(principal: Principal, store: WorkStore, job: str, *, now: datetime) -> bool:
    """Note that a job has begun; return whether its work is still wanted.

    Raises
    ------
    NotAuthorized
        When the principal is not this job.
    NotFound
        When there is no such job.
    """
    _authorize_job(principal, job)
    known = store.job(job)
    if known.state in (JobState.CREATED, JobState.SUBMITTED):
        store.set_job(job, JobState.RUNNING, at=now)
        return True
    return known.state is JobState.RUNNING


def finish_job(principal: Principal, store: WorkStore, job: str, report: JobReport, *, now: datetime) -> bool:
    """Take the report of a job that has ended; return whether its outputs are wanted.

    Raises
    ------
    NotAuthorized
        When the principal is not this job.
    NotFound
        When there is no such job.
    InvalidInput
        When a success does not name exactly the promised outputs.
    """
    _authorize_job(principal, job)
    known = store.job(job)
    if report.exit_reason is ExitReason.FINISHED:
        _check_outputs(store, known, report)
        if known.state is JobState.FAILED:
            return False
        return store.succeed(job, report, now)
    if known.state not in (JobState.FAILED, JobState.SUCCEEDED):
        store.set_job(
            job,
            JobState.FAILED,
            at=now,
            exit_reason=report.exit_reason,
            detail=report.detail,
            report=report,
        )
    return False


def _check_outputs(store: WorkStore, job: Job, report: JobReport) -> None:
    promised = set(store.transformation(store.task(job.task).transformation).definition.outputs)
    reported = [output.output for output in report.outputs]
    if set(reported) != promised or len(reported) != len(promised) or not report.software:
        raise InvalidInput(
            f"job {job.id} reports the outputs {sorted(reported)}, promised are {sorted(promised)}",
            code="report-incomplete",
            next_step="report every output of the bundle once, and the software that made them",
            job=job.id,
        )
