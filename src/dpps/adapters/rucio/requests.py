"""Transfer requests in Rucio."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.data.why.observations import RequestState, TransferRequest
from dpps.domain.names import Lfn

__all__ = ["RucioRequestLedger"]

_STATES: Final[Mapping[str, RequestState]] = {
    "QUEUED": RequestState.WAITING,
    "SUBMITTING": RequestState.WAITING,
    "PREPARING": RequestState.WAITING,
    "WAITING": RequestState.WAITING,
    "SUSPEND": RequestState.WAITING,
    "SUBMITTED": RequestState.SUBMITTED,
    "NO_SOURCES": RequestState.NO_SOURCES,
    "ONLY_TAPE_SOURCES": RequestState.NO_SOURCES,
    "MISMATCH_SCHEME": RequestState.MISMATCH_SCHEME,
    "SUBMISSION_FAILED": RequestState.FAILED,
    "FAILED": RequestState.FAILED,
    "LOST": RequestState.FAILED,
    "DONE": RequestState.DONE,
}


class RucioRequestLedger:
    """Implements ``RequestLedger``.

    Parameters
    ----------
    client : rucio.client.Client
        Connected as an account that may read requests.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def request(self, lfn: Lfn, rse: str) -> TransferRequest | None:
        """Return the request to copy a file to a storage, else the last that was over; None: never any."""
        from rucio.common.exception import RequestNotFound

        for past, question in (
            (False, self._client.list_request_by_did),
            (True, self._client.list_request_history_by_did),
        ):
            with catalogue_errors(f"look for the transfer of {lfn} to {rse}"):
                try:
                    return _request(question(lfn.name, rse, lfn.scope), past=past)
                except RequestNotFound:
                    continue
        return None


def _request(facts: Mapping[str, Any], *, past: bool) -> TransferRequest:
    return TransferRequest(
        state=_STATES.get(str(facts["state"]), RequestState.WAITING),
        rule_id=facts["rule_id"],
        source=facts.get("source_rse"),
        attempts=facts.get("retry_count") or 0,
        job_id=facts.get("external_id"),
        error=facts.get("err_msg") or "",
        changed_at=_utc(facts.get("created_at")),
        past=past,
    )


def _utc(moment: Any) -> datetime | None:
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None
