"""Why one copy is not where a rule wants it: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from dpps.data.sites import Hold, HoldKind
from dpps.data.transfers.service import StorageRest
from dpps.data.why.findings import Finding, Weight
from dpps.data.why.observations import FileObservation, LinkFacts, MissingCopy, RequestState, SiteFacts

__all__ = ["explain_copy", "held_words", "rest_finding"]

_PROMPT: Final = timedelta(minutes=1)
"""Time within which a step of the catalogue's daemons is no news."""


def explain_copy(copy: MissingCopy, seen: FileObservation, now: datetime) -> Iterator[Finding]:
    """Yield why a copy is missing, the causes first, then how far its transfer has come.

    The catalogue itself keeps silent about most of these causes: the request stays queued, for ever.
    """
    causes = [*_destination(copy, seen), *_sources(copy, seen)]
    yield from causes
    blocked = any(one.weight is Weight.BLOCKS for one in causes) or seen.transfers_silent
    if seen.transfers_silent and copy.moved is None and _is_with_transfers(copy):
        yield _unknown(copy)
    else:
        yield _progress(copy, now, blocked=blocked)
    for failure in copy.failures:
        yield Finding(
            code="attempt-failed",
            weight=Weight.NOTE,
            fact=f"attempt {failure.attempt} to {copy.rse} failed at {failure.at:%Y-%m-%d %H:%M:%S} UTC",
            cause=failure.reason,
        )


def _destination(copy: MissingCopy, seen: FileObservation) -> Iterator[Finding]:
    site = seen.sites.get(copy.rse)
    if site is None:
        return
    if not site.condition.availability.write:
        yield _closed(copy.rse, "written", site, (HoldKind.DRAIN, HoldKind.PAUSE))
    yield from _equipment(copy.rse, site)
    yield from _service(copy.rse, site)


def _sources(copy: MissingCopy, seen: FileObservation) -> Iterator[Finding]:
    if not copy.links:
        yield Finding(
            code="source-none",
            weight=Weight.BLOCKS,
            fact=f"{copy.rse} cannot get the file: no storage has a good copy",
            next="restore it from its producer: dpps data audit alarms",
        )
        return
    refused = [list(_source(copy, link, seen)) for link in copy.links]
    if all(refused):
        for findings in refused:
            yield from findings
        return
    # One good source is enough: what bars the others is not worth a line.


def _source(copy: MissingCopy, link: LinkFacts, seen: FileObservation) -> Iterator[Finding]:
    site, target = seen.sites.get(link.source), seen.sites.get(copy.rse)
    if link.distance is None:
        yield _no_distance(link, copy.rse)
    if site is None:
        return
    if not site.condition.availability.read:
        yield _closed(link.source, "read", site, (HoldKind.PAUSE,))
    yield from _equipment(link.source, site)
    yield from _service(link.source, site)
    if target is not None and _scheme(site) != _scheme(target):
        yield Finding(
            code="scheme-mismatch",
            weight=Weight.BLOCKS,
            fact=f"{link.source} speaks {_scheme(site)}, {copy.rse} speaks {_scheme(target)}",
            cause="no protocol is common to both: the catalogue calls it MISMATCH_SCHEME",
            next="give one of them a protocol of the other, with third-party copy",
        )


def _no_distance(link: LinkFacts, destination: str) -> Finding:
    if link.hold is not None:
        return Finding(
            code="link-paused",
            weight=Weight.BLOCKS,
            fact=f"the link from {link.source} to {destination} is paused",
            cause=held_words(link.hold),
            next=f"when that is over: dpps transfer resume --link {link.source} {destination}",
        )
    return Finding(
        code="distance-missing",
        weight=Weight.BLOCKS,
        fact=f"there is no distance from {link.source} to {destination}",
        cause="without one the catalogue requests no transfer, and says NO_SOURCES",
        next=f"set it: rucio-admin rse add-distance {link.source} {destination} --distance 1",
    )


def _closed(rse: str, word: str, site: SiteFacts, kinds: tuple[HoldKind, ...]) -> Finding:
    held = [one for one in site.holds if one.kind in kinds]
    if held:
        kind = "drained" if held[0].kind is HoldKind.DRAIN else "paused"
        return Finding(
            code=f"site-{kind}",
            weight=Weight.BLOCKS,
            fact=f"{rse} is {kind}: nothing is {word} there",
            cause=held_words(held[0]),
            next=f"other places are looked for; when that is over: dpps site resume {rse}",
        )
    return Finding(
        code="site-closed",
        weight=Weight.BLOCKS,
        fact=f"{rse} may not be {word} now",
        cause="its availability was switched off in the catalogue, by nobody who said why",
        next=f"ask the operators; then: rucio-admin rse update --rse {rse}",
    )


def _equipment(rse: str, site: SiteFacts) -> Iterator[Finding]:
    if not site.condition.attributes.get("fts"):
        yield Finding(
            code="fts-missing",
            weight=Weight.BLOCKS,
            fact=f"{rse} has no attribute 'fts'",
            cause="the catalogue does not know which transfer service to ask, and waits without a word",
            next="start the system again, which sets it: dpps down, dpps up",
        )
    if not site.condition.copies_by_transfer:
        yield Finding(
            code="third-party-copy-missing",
            weight=Weight.BLOCKS,
            fact=f"no protocol of {rse} allows third-party copies",
            cause="every transfer is one: the catalogue calls it MISMATCH_SCHEME",
            next="give its protocol the priorities third_party_copy_read and _write",
        )


def _service(rse: str, site: SiteFacts) -> Iterator[Finding]:
    if site.ban is not None and not any(one.kind is HoldKind.PAUSE for one in site.holds):
        yield Finding(
            code="storage-banned",
            weight=Weight.BLOCKS,
            fact=f"the transfer service moves nothing from or to {rse}",
            cause=f"it is banned there: {site.ban}",
            next=f"dpps site resume {rse}, or lift the ban at the transfer service",
        )
    if site.rest is not None and site.rest.rests_until is not None:
        yield rest_finding(rse, site.rest)


def rest_finding(rse: str, rest: StorageRest) -> Finding:
    """Return what a resting storage means."""
    until = f"{rest.rests_until:%H:%M:%S} UTC" if rest.rests_until else "now"
    return Finding(
        code="storage-rests",
        weight=Weight.WAITS,
        fact=f"{rse} did not answer {rest.failures} times in a row since {rest.since:%Y-%m-%d %H:%M} UTC",
        cause=rest.reason,
        next="one file is tried; when it arrives, all others follow",
        when=f"at {until}",
    )


def _progress(copy: MissingCopy, now: datetime, *, blocked: bool) -> Finding:
    request, moved = copy.request, copy.moved
    if request is None:
        return Finding(
            code="request-none",
            weight=Weight.WAITS,
            fact=f"no transfer to {copy.rse} was asked for yet",
            cause="the rule was evaluated when the file had no source, or is being evaluated",
            next="the catalogue asks for it",
            when="every 30 s at the latest" if not blocked else "once the cause above is gone",
        )
    if request.past:
        return Finding(
            code="request-failed" if request.state is not RequestState.DONE else "request-done",
            weight=Weight.WAITS,
            fact=f"the last of {request.attempts + 1} requests to {copy.rse} ended: {request.state.value}",
            cause=request.error,
            next="the catalogue asks again, from another source or to another place where there is one",
            when="every 30 s at the latest" if not blocked else "once the cause above is gone",
        )
    if request.state is not RequestState.SUBMITTED:
        return _waiting(copy, request.state, request.error, now, blocked=blocked)
    return _moving(copy, moved.state if moved else "", moved.due_at if moved else None, now)


def _is_with_transfers(copy: MissingCopy) -> bool:
    request = copy.request
    return request is not None and not request.past and request.state is RequestState.SUBMITTED


def _unknown(copy: MissingCopy) -> Finding:
    job = copy.request.job_id if copy.request else ""
    return Finding(
        code="transfer-unknown",
        weight=Weight.WAITS,
        fact=f"a transfer to {copy.rse} was given to the transfer service (job {job}), which does not answer",
        next="how far it is can be asked again once that service answers",
    )


def _waiting(copy: MissingCopy, state: RequestState, error: str, now: datetime, *, blocked: bool) -> Finding:
    since = copy.request.changed_at if copy.request else None
    long = since is not None and now - since > _PROMPT
    silent = long and not blocked and state is RequestState.WAITING
    return Finding(
        code="request-silent" if silent else f"request-{state.value}",
        weight=Weight.BLOCKS if silent else Weight.WAITS,
        fact=f"a transfer to {copy.rse} is asked for ({state.value})"
        + (f", since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""),
        cause=error
        or (
            "the catalogue's daemons have not given it to the transfer service, and no cause is in sight"
            if silent
            else ""
        ),
        next="look at the daemons: dpps status; dpps logs rucio-daemons"
        if silent
        else "it is given to the transfer service",
        when="once the cause above is gone" if blocked else "" if silent else "within seconds",
    )


def _moving(copy: MissingCopy, state: str, due_at: datetime | None, now: datetime) -> Finding:
    moved = copy.moved
    job = copy.request.job_id if copy.request else ""
    if moved is None:
        return Finding(
            code="job-unknown",
            weight=Weight.WAITS,
            fact=f"a transfer to {copy.rse} was given to the transfer service, which does not know job {job}",
            next="the catalogue notices and asks again",
            when="within seconds",
        )
    if state == "ACTIVE":
        started = f" since {moved.started_at:%H:%M:%S} UTC" if moved.started_at else ""
        return Finding(
            code="transfer-active",
            weight=Weight.WAITS,
            fact=f"being copied to {copy.rse}{started} (job {job})",
            next="it is read back and compared, then registered",
        )
    later = due_at is not None and due_at > now
    return Finding(
        code="transfer-waits",
        weight=Weight.WAITS,
        fact=f"the transfer service has it ({state.lower()}, job {job}, {moved.attempts} attempts)",
        cause=moved.reason or "it waits for its turn: dpps transfer watch; dpps transfer limits",
        next="it is tried again" if moved.attempts else "it is copied",
        when=f"at {due_at:%H:%M:%S} UTC" if later and due_at else "when its turn comes",
    )


def held_words(hold: Hold) -> str:
    """Return who holds back what, since when and why."""
    return f"by {hold.held_by} since {hold.held_at:%Y-%m-%d %H:%M} UTC: {hold.reason}"


def _scheme(site: SiteFacts) -> str:
    return urlsplit(site.condition.url_prefix).scheme
