"""What the attempts at one task add up to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from dpps.domain.work import ExitReason, JobState
from dpps.workload.records import LIVE_JOBS, Attempts

__all__ = ["JobFacts", "summarize_attempts"]

JobFacts = tuple[str, JobState, ExitReason | None, str, datetime | None]
"""Id, state, exit reason, detail and end of a job."""


def summarize_attempts(jobs: Iterable[JobFacts]) -> Attempts:
    """Count the failures of a task's jobs by whose they were.

    Parameters
    ----------
    jobs : iterable of JobFacts
        The jobs of one task, in the order of their attempts.
    """
    live: list[str] = []
    payload = infrastructure = 0
    last_reason, last_detail, last_failure_at = None, "", None
    for name, state, reason, detail, finished_at in jobs:
        if state in LIVE_JOBS:
            live.append(name)
        elif state in (JobState.FAILED, JobState.LOST) and reason is not None:
            payload += reason.is_payload_failure
            infrastructure += not reason.is_payload_failure
            last_reason, last_detail, last_failure_at = reason, detail, finished_at
    return Attempts(
        live_jobs=tuple(live),
        payload_failures=payload,
        infrastructure_failures=infrastructure,
        last_reason=last_reason,
        last_detail=last_detail,
        last_failure_at=last_failure_at,
    )
