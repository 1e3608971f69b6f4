"""Limits and shares of transfers, and views of them, through FTS3's interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from dpps.data.site_operations import SiteChange, require_link
from dpps.data.sites import SiteParts
from dpps.data.transfers.lanes import storage_name
from dpps.data.transfers.service import MovedFile, RetryLog, ServiceAttempt, ServiceLink, TransferService
from dpps.domain.errors import NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "SetLimit",
    "limit_link",
    "limit_storage",
    "list_attempts",
    "list_transfers",
    "read_limits",
    "read_links",
    "share_activity",
    "show_job",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLimit:
    """One thing that is set."""

    kind: str
    subject: str
    value: str


def limit_link(
    principal: Principal,
    parts: SiteParts,
    source: str,
    destination: str,
    active_max: int | None,
    *,
    dry_run: bool = False,
) -> SiteChange:
    """Set how many files move on a link at the same time; None lifts its limit.

    Raises
    ------
    InvalidInput
        When a site is unknown or both are the same.
    """
    authorize(principal, Action.OPERATE, f"{source} to {destination}")
    require_link(source, destination)
    ends = (_storage(parts, source), _storage(parts, destination))
    words = "no limit of its own" if active_max is None else f"at most {active_max} files at the same time"
    return _change(
        f"limit {source} to {destination}",
        words,
        partial(parts.transfers.limit_link, *ends, active_max),
        dry_run=dry_run,
    )


def limit_storage(
    principal: Principal,
    parts: SiteParts,
    rse: str,
    *,
    inbound: int | None,
    outbound: int | None,
    dry_run: bool = False,
) -> SiteChange:
    """Set how many files are written to and read from a site at the same time; None leaves it, 0 lifts it."""
    authorize(principal, Action.OPERATE, rse)
    given = [
        f"{name} {value}"
        for name, value in (("inbound", inbound), ("outbound", outbound))
        if value is not None
    ]
    call = partial(
        parts.transfers.limit_storage, _storage(parts, rse), inbound_max=inbound, outbound_max=outbound
    )
    return _change(f"limit {rse}", ", ".join(given), call, dry_run=dry_run)


def share_activity(
    principal: Principal,
    parts: SiteParts,
    vo: str,
    activity: str,
    weight: float | None,
    *,
    dry_run: bool = False,
) -> SiteChange:
    """Set the weight of an activity; None removes it."""
    authorize(principal, Action.OPERATE, f"the share of {activity}")
    words = "no weight of its own" if weight is None else f"weight {weight:g}"
    call = partial(parts.transfers.share, vo, activity, weight)
    return _change(f"share of {activity}", words, call, dry_run=dry_run)


def read_limits(principal: Principal, parts: SiteParts, vo: str) -> list[SetLimit]:
    """Return everything that is set at the transfer service; sites are named by their RSE."""
    authorize(principal, Action.INSPECT, "the limits of transfers")
    named = {storage_name(one.url_prefix): one.rse for one in parts.register.conditions()}
    service = parts.transfers
    links = [
        SetLimit(
            kind="link",
            subject=f"{named.get(source, source)} to {named.get(destination, destination)}",
            value=f"{most} files",
        )
        for (source, destination), most in sorted(service.link_limits().items())
    ]
    storages = [
        SetLimit(kind="storage", subject=named.get(storage, storage), value=_words(inbound, outbound))
        for storage, (inbound, outbound) in sorted(service.storage_limits().items())
    ]
    shares = [
        SetLimit(kind="share", subject=activity, value=f"weight {weight:g}")
        for activity, weight in sorted(service.shares(vo).items())
    ]
    bans = [
        SetLimit(kind="ban", subject=named.get(one.storage, one.storage), value=one.message)
        for one in service.bans()
    ]
    return [*links, *storages, *shares, *bans]


def list_transfers(
    principal: Principal,
    parts: SiteParts,
    *,
    state: str | None = None,
    rse: str | None = None,
    activity: str | None = None,
    limit: int = 100,
) -> list[MovedFile]:
    """Return files that wait or move, or those of a state, of the newest jobs.

    Raises
    ------
    InvalidInput
        When the site is unknown.
    """
    authorize(principal, Action.INSPECT, "the transfers")
    if rse is not None:
        parts.register.conditions([rse])
    service = parts.transfers
    found = service.files(service.jobs(states=(state,) if state else (), limit=limit))
    return [one for one in found if (not state or one.state == state) and _concerns(one, rse, activity)]


def show_job(
    principal: Principal, service: TransferService, job_id: str
) -> list[tuple[MovedFile, list[RetryLog]]]:
    """Return the files of a job, each with its failed attempts.

    Raises
    ------
    NotFound
        When there is no such job.
    """
    authorize(principal, Action.INSPECT, f"job {job_id}")
    files = service.files([job_id])
    if not files:
        raise NotFound(
            f"the transfer service knows no job {job_id}",
            code="job-unknown",
            next_step="list the jobs: dpps transfer ls",
            job=job_id,
        )
    return [(one, service.retries(job_id, one.file_id)) for one in files]


def list_attempts(
    principal: Principal,
    service: TransferService,
    *,
    lfn: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[ServiceAttempt]:
    """Return the last attempts, the newest first.

    Raises
    ------
    InvalidInput
        When the name of a file cannot be one.
    """
    authorize(principal, Action.INSPECT, lfn or "the transfers")
    name = None if lfn is None else Lfn(lfn).name
    return service.own_attempts(name=name, since=since, limit=limit)


def read_links(principal: Principal, service: TransferService, seconds: float) -> list[ServiceLink]:
    """Return what links do now and did in the last seconds."""
    authorize(principal, Action.INSPECT, "the transfers")
    return service.own_links(seconds)


def _concerns(file: MovedFile, rse: str | None, activity: str | None) -> bool:
    facts: Mapping[str, object] = file.metadata
    at_site = rse is None or rse in {facts.get("src_rse"), facts.get("dst_rse")}
    return at_site and activity in {None, facts.get("activity")}


def _storage(parts: SiteParts, rse: str) -> str:
    (condition,) = parts.register.conditions([rse])
    return storage_name(condition.url_prefix)


def _words(inbound: int | None, outbound: int | None) -> str:
    given = [
        f"{name} {value} files" for name, value in (("inbound", inbound), ("outbound", outbound)) if value
    ]
    return ", ".join(given) or "no limit"


def _change(subject: str, words: str, call: Callable[[], object], *, dry_run: bool) -> SiteChange:
    if not dry_run:
        call()
    return SiteChange(subject=subject, steps=(words,), done=not dry_run)
