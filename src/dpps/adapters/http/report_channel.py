"""A job's line to the workload API."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx

from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotAuthorized, NotFound, Unavailable
from dpps.workload.bundle import JobReport, JobStart

__all__ = ["HttpReportChannel"]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 15.0
_ERRORS: Mapping[int, type[DppsError]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    409: Conflict,
}


class HttpReportChannel:
    """Reports by POST below the job's address; what is not answered is sent again.

    Parameters
    ----------
    url : str
        ``…/jobs/<id>``.
    token : str
        Bearer token of the job.
    patience_seconds : float
        How long a report is tried when nobody answers.
    start_patience_seconds : float
        The same for the announcement of the start.
    pause : callable
        Waits for so many seconds.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        patience_seconds: float = 180.0,
        start_patience_seconds: float = 5.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._patience_seconds = patience_seconds
        self._start_patience_seconds = start_patience_seconds
        self._pause = pause

    def start(self, host: str, at: datetime) -> JobStart:
        """Announce the start; return whether the job is still wanted, and what opens the storages to it."""
        message = {"host": host, "at": at.isoformat()}
        answer = self._post("start", message, patience_seconds=self._start_patience_seconds)
        return JobStart.model_validate(answer)

    def finish(self, report: JobReport) -> bool:
        """Deliver the report, trying for a while; return whether the outputs are wanted."""
        answer = self._post("report", report.model_dump(mode="json"), patience_seconds=self._patience_seconds)
        return bool(answer["wanted"])

    def _post(self, verb: str, body: Mapping[str, Any], *, patience_seconds: float) -> dict[str, Any]:
        url = f"{self._url}/{verb}"
        end = time.monotonic() + patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                response = httpx.post(url, json=body, headers=self._headers, timeout=30.0, trust_env=False)
            except httpx.TransportError as silent:
                why = str(silent) or type(silent).__name__
            else:
                if response.status_code < 500:
                    return _answer(url, response)
                why = f"HTTP {response.status_code}"
            if time.monotonic() + pause > end:
                raise Unavailable(
                    f"{url} did not take the report: {why}",
                    code="report-undelivered",
                    next_step="the workload system will notice and make another attempt",
                    url=url,
                )
            # Many workers lose the service at the same moment; they shall not return at the same moment.
            self._pause(pause * random.uniform(0.7, 1.3))  # noqa: S311
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _answer(url: str, response: httpx.Response) -> dict[str, Any]:
    if response.is_success:
        answer: dict[str, Any] = response.json()
        return answer
    kind = _ERRORS.get(response.status_code, InvalidInput)
    raise kind(
        f"{url} refused the report: HTTP {response.status_code}: {response.text[:500]}",
        code="report-refused",
        next_step="look at the job: dpps production status",
        url=url,
    )
