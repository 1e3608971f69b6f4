"""What the ingest service refused, asked over HTTP."""

from __future__ import annotations

import httpx

from dpps.data.why.observations import Refusal
from dpps.domain.errors import Unavailable

__all__ = ["HttpHandoverLedger"]

_TIMEOUT_SECONDS = 5.0


class HttpHandoverLedger:
    """Implements ``HandoverLedger``.

    Parameters
    ----------
    url : str
        Address of the ingest service.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def refusals(self) -> list[Refusal]:
        """Return every handed-over file that was not taken.

        Raises
        ------
        Unavailable
            When the service does not answer, or something else answers at its address.
        """
        try:
            answer = httpx.get(f"{self._url}/refused", trust_env=False, timeout=_TIMEOUT_SECONDS)
            answer.raise_for_status()
            return [_refusal(one) for one in answer.json()]
        except httpx.HTTPError as outage:
            raise self._silent(str(outage)) from outage
        except (ValueError, KeyError, TypeError) as rubbish:
            raise self._silent("what answers is not the service") from rubbish

    def _silent(self, reason: str) -> Unavailable:
        return Unavailable(
            f"the ingest service does not answer at {self._url}: {reason}",
            code="ingest-unavailable",
            next_step="look at it: dpps status; dpps logs ingest",
        )


def _refusal(told: dict[str, object]) -> Refusal:
    return Refusal(
        path=str(told["path"]),
        code=str(told["code"]),
        message=str(told["message"]),
        next_step=str(told["next_step"]),
        retryable=bool(told["retryable"]),
    )
