"""A client of FTS3's REST interface: listing, cancelling, limits, bans, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import batched
from typing import Any
from urllib.parse import quote

import httpx

from dpps.data.transfers.service import (
    MovedFile,
    RetryLog,
    ServiceAttempt,
    ServiceBan,
    ServiceLink,
    StorageRest,
)
from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotAuthorized, NotFound, Unavailable

__all__ = ["FtsClient"]

_JOBS_A_CALL = 50
_FILE_FIELDS = (
    "file_id,file_state,source_surl,dest_surl,reason,start_time,finish_time,filesize,retry,"
    "file_metadata,dpps_due_time"  # FTS3 passes over fields that it does not have
)
_ERRORS: Mapping[int, type[DppsError]] = {
    HTTPStatus.BAD_REQUEST: InvalidInput,
    HTTPStatus.UNAUTHORIZED: NotAuthorized,
    HTTPStatus.FORBIDDEN: NotAuthorized,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}


class FtsClient:
    """Implements ``TransferService`` over HTTP.

    Parameters
    ----------
    client : httpx.Client
        With base address and credentials; closed by its owner.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def jobs(
        self,
        *,
        states: Sequence[str] = (),
        source: str | None = None,
        destination: str | None = None,
        limit: int = 100,
    ) -> list[str]:
        """Return the ids of jobs, the newest first; without states those that are not final."""
        wanted = {
            "state_in": ",".join(states or ("SUBMITTED", "ACTIVE")),
            "source_se": source,
            "dest_se": destination,
            "limit": str(limit),
        }
        found = self._call("GET", "/jobs", params={key: one for key, one in wanted.items() if one})
        return [str(one["job_id"]) for one in found]

    def files(self, job_ids: Sequence[str]) -> list[MovedFile]:
        """Return the files of jobs; unknown jobs have none."""
        found: list[MovedFile] = []
        for ids in batched(job_ids, _JOBS_A_CALL):
            answer = self._call(
                "GET", f"/jobs/{','.join(ids)}", params={"files": _FILE_FIELDS}, absent_is_answer=True
            )
            jobs = answer if isinstance(answer, list) else [answer]
            known = [job for job in jobs if str(job.get("http_status", "200")).startswith("200")]
            found += [_file(job, one) for job in known for one in job.get("files") or ()]
        return found

    def retries(self, job_id: str, file_id: int) -> list[RetryLog]:
        """Return the failed attempts at a file, the first first."""
        found = self._call("GET", f"/jobs/{job_id}/files/{file_id}/retries")
        logs = [
            RetryLog(attempt=one["attempt"], at=_required(one["datetime"]), reason=one["reason"] or "")
            for one in found
        ]
        return sorted(logs, key=lambda one: one.attempt)

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs; unknown and final ones are no error."""
        for ids in batched(job_ids, _JOBS_A_CALL):
            self._call("DELETE", f"/jobs/{','.join(ids)}", absent_is_answer=True)

    def limit_link(self, source: str, destination: str, active_max: int | None) -> None:
        """Set how many files may move on a link at the same time; None: no limit of its own."""
        name = _link_name(source, destination)
        if active_max is None:
            self._call("DELETE", f"/config/links/{quote(name, safe='')}")
            return
        message = {
            "symbolicname": name,
            "source": source,
            "destination": destination,
            "min_active": min(1, active_max),
            "max_active": active_max,
            "nostreams": 0,
            "optimizer_mode": 0,
            "no_delegation": False,
            "tcp_buffer_size": 0,
        }
        self._call("POST", "/config/links", json=message)

    def link_limits(self) -> dict[tuple[str, str], int]:
        """Return the limits of links by source and destination."""
        found = self._call("GET", "/config/links")
        return {(one["source"], one["destination"]): int(one["max_active"]) for one in found}

    def limit_storage(self, storage: str, *, inbound_max: int | None, outbound_max: int | None) -> None:
        """Set how many files may be written to and read from a storage at the same time; None: as it was."""
        given = {"inbound_max_active": inbound_max, "outbound_max_active": outbound_max}
        info = {key: value for key, value in given.items() if value is not None}
        self._call("POST", "/config/se", json={storage: {"operations": {}, "se_info": info}})

    def storage_limits(self) -> dict[str, tuple[int | None, int | None]]:
        """Return inbound and outbound limits by storage."""
        found = {name: one.get("se_info", {}) for name, one in self._call("GET", "/config/se").items()}
        return {
            name: (info.get("inbound_max_active"), info.get("outbound_max_active"))
            for name, info in found.items()
        }

    def share(self, vo: str, activity: str, weight: float | None) -> dict[str, float]:
        """Set the weight of one activity, None removes it; return all weights."""
        weights = {name: one for name, one in self.shares(vo).items() if name != activity}
        if weight is not None:
            weights[activity] = weight
        if not weights:
            self._call("DELETE", f"/config/activity_shares/{vo}")
            return {}
        share = [{name: one} for name, one in weights.items()]
        self._call("POST", "/config/activity_shares", json={"vo": vo, "active": True, "share": share})
        return weights

    def shares(self, vo: str) -> dict[str, float]:
        """Return the weights of activities; empty where none are set."""
        found = self._call("GET", "/config/activity_shares").get(vo)
        return dict(found["share"]) if found and found.get("active") else {}

    def ban(self, storage: str, message: str) -> bool:
        """Move nothing from or to a storage, cancel what waits; False where the service cannot ban.

        Recent servers of FTS3 answer 404 here: bans were taken out.
        """
        try:
            body = {"storage": storage, "message": message, "status": "CANCEL"}
            self._call("POST", "/ban/se", json=body)
        except NotFound:
            return False
        return True

    def unban(self, storage: str) -> None:
        """Let files move again; absent is no error."""
        self._call("DELETE", "/ban/se", params={"storage": storage}, absent_is_answer=True)

    def bans(self) -> list[ServiceBan]:
        """Return the banned storages; none where the service cannot ban."""
        try:
            found = self._call("GET", "/ban/se")
        except NotFound:
            return []
        return [
            ServiceBan(
                storage=one["se"],
                message=one.get("message") or "",
                status=one.get("status") or "",
                banned_at=_time(one.get("addition_time")),
            )
            for one in found
        ]

    def own_links(self, seconds: float) -> list[ServiceLink]:
        """Return what links do now and did in the last seconds."""
        return [ServiceLink(**one) for one in self._own("/dpps/links", {"seconds": str(seconds)})]

    def own_rests(self) -> list[StorageRest]:
        """Return the storages that failed lately; none from a stock FTS3."""
        try:
            found = self._own("/dpps/storages", {})
        except NotFound:
            return []
        return [
            StorageRest(
                storage=one["storage"],
                failures=one["failures"],
                reason=one["reason"],
                since=_required(one["since"]),
                rests_until=_time(one["rests_until"]),
            )
            for one in found
        ]

    def own_attempts(
        self, *, name: str | None = None, since: datetime | None = None, limit: int = 100
    ) -> list[ServiceAttempt]:
        """Return the last attempts, the newest first."""
        wanted = {"name": name, "since": since.isoformat() if since else None, "limit": str(limit)}
        found = self._own("/dpps/attempts", {key: one for key, one in wanted.items() if one})
        return [
            ServiceAttempt(
                job_id=one["job_id"],
                number=one["number"],
                name=one["name"],
                source=one["source"],
                destination=one["destination"],
                started_at=_required(one["started_at"]),
                finished_at=_required(one["finished_at"]),
                size_bytes=one["size_bytes"],
                outcome=one["outcome"],
                failure=one["failure"],
                reason=one["reason"],
            )
            for one in found
        ]

    def _own(self, path: str, params: Mapping[str, str]) -> Any:
        try:
            return self._call("GET", path, params=params)
        except NotFound as absent:
            raise NotFound(
                "the transfer service is a stock FTS3, which does not tell this",
                code="transfers-not-told",
                next_step="look at the pages of that FTS3; dpps transfer ls works with it",
            ) from absent

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        absent_is_answer: bool = False,
    ) -> Any:
        try:
            answer = self._client.request(method, path, params=params, json=json)
        except httpx.TransportError as error:
            raise Unavailable(
                f"the transfer service does not answer at {self._client.base_url}: {error}",
                code="transfers-unavailable",
                next_step="look at it: dpps status; dpps logs transfers",
            ) from error
        absent = absent_is_answer and answer.status_code == HTTPStatus.NOT_FOUND
        if answer.is_error and not absent:
            raise _error(f"{method} {path}", answer)
        if answer.status_code == HTTPStatus.NO_CONTENT or not answer.content:
            return None
        return answer.json()


def _error(call: str, answer: httpx.Response) -> DppsError:
    try:
        body = answer.json()
        message = str(body.get("message", body))
    except (ValueError, AttributeError):
        message = answer.text[:300]
    kind = _ERRORS.get(answer.status_code, Unavailable)
    return kind(
        f"the transfer service refused {call}: {message}",
        code=f"transfers-{kind.default_code}",
        next_step="see the reason; dpps logs transfers",
        status=answer.status_code,
    )


def _file(job: Mapping[str, Any], one: Mapping[str, Any]) -> MovedFile:
    return MovedFile(
        job_id=str(job["job_id"]),
        file_id=int(one["file_id"]),
        state=one["file_state"],
        source=one["source_surl"],
        destination=one["dest_surl"],
        reason=one.get("reason") or "",
        attempts=one.get("retry") or 0,
        submitted_at=_time(job.get("submit_time")),
        started_at=_time(one.get("start_time")),
        finished_at=_time(one.get("finish_time")),
        due_at=_time(one.get("dpps_due_time")),
        size_bytes=one.get("filesize"),
        metadata=one.get("file_metadata") or {},
    )


def _link_name(source: str, destination: str) -> str:
    return f"{source} {destination}"


def _required(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(text: str | None) -> datetime | None:
    return None if text is None else _required(text)
