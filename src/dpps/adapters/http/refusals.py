"""What the ingest service refused, asked over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    folder : Path
        The hand-over folder that it watches.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    @property
    def folder(self) -> str:
        """The hand-over folder that the service watches; it tells of no other one."""
        return str(self._folder)

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
            return [_refusal(one, self._folder) for one in answer.json()]
        except httpx.HTTPError as outage:
            raise self._silent(str(outage)) from outage
        except (ValueError, KeyError, TypeError, AttributeError) as rubbish:
            raise self._silent("what answers is not the service") from rubbish

    def _silent(self, reason: str) -> Unavailable:
        return Unavailable(
            f"the ingest service does not answer at {self._url}: {reason}",
            code="ingest-unavailable",
            next_step="look at it: dpps status; dpps logs ingest",
        )


def _refusal(told: dict[str, Any], folder: Path) -> Refusal:
    path = Path(str(told["path"]))
    own = path.is_relative_to(folder)
    return Refusal(
        path=str(path),
        handed=str(path.relative_to(folder) if own else path),
        code=str(told["code"]),
        message=str(told["message"]),
        next_step=str(told["next_step"]),
        retryable=bool(told["retryable"]),
        lfn=str(told["identifiers"].get("lfn", "")),
    )
