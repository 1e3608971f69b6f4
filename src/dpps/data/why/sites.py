"""Why a site is as it is: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dpps.data.sites import Hold, HoldKind, WaitingRule
from dpps.data.transfers.service import ServiceAttempt, ServiceLink
from dpps.data.why.copies import held_words, rest_finding
from dpps.data.why.findings import Explanation, Finding, Weight
from dpps.data.why.observations import Silence, SiteFacts
from dpps.data.why.silences import explain_silences

__all__ = ["SiteObservation", "explain_site"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteObservation:
    """Everything that bears on one site."""

    facts: SiteFacts
    links: tuple[Hold, ...] = ()
    """Paused links from and to it."""
    waiting: tuple[WaitingRule, ...] = ()
    traffic: tuple[ServiceLink, ...] | None = ()
    """What its links do now and did in the last hour; None: the transfer service does not tell."""
    failures: tuple[ServiceAttempt, ...] = ()
    """Failed attempts of late, the newest first."""
    limits: tuple[int | None, int | None] | None = None
    silences: tuple[Silence, ...] = ()


def explain_site(seen: SiteObservation, now: datetime) -> Explanation:
    """Return how a site is, what is held back there and why, and what waits for it."""
    findings = (
        *_state(seen.facts),
        *_equipment(seen),
        *explain_silences(seen.silences),
        *_traffic(seen),
        *_failures(seen, now),
        *_waiting(seen),
    )
    return Explanation(
        subject=seen.facts.condition.rse,
        findings=findings,
        unanswered=tuple(one.service for one in seen.silences),
    )


def _state(facts: SiteFacts) -> Iterator[Finding]:
    condition = facts.condition
    words = [
        name
        for name, value in (
            ("read", condition.availability.read),
            ("written", condition.availability.write),
            ("deleted", condition.availability.delete),
        )
        if value
    ]
    everything = len(words) == 3
    free = f", {condition.free_bytes} bytes free" if condition.free_bytes is not None else ""
    yield Finding(
        code="site-open" if everything else "site-restricted",
        weight=Weight.GOOD if everything else Weight.NOTE,
        fact=f"files may be {', '.join(words) or 'neither read, written nor deleted'}; "
        f"{condition.files} files, {condition.used_bytes} bytes{free}",
    )
    for hold in facts.holds:
        word = "drained" if hold.kind is HoldKind.DRAIN else "paused"
        yield Finding(
            code=f"site-{word}",
            weight=Weight.BLOCKS,
            fact=f"{word}",
            cause=held_words(hold),
            next=f"when that is over: dpps site resume {condition.rse}",
        )
    if not everything and not facts.holds:
        yield Finding(
            code="site-closed",
            weight=Weight.BLOCKS,
            fact="restricted in the catalogue by nobody who said why",
            next=f"ask the operators; then: rucio-admin rse update --rse {condition.rse}",
        )
    if facts.ban is not None:
        yield Finding(
            code="storage-banned",
            weight=Weight.BLOCKS,
            fact="the transfer service moves nothing from or to it",
            cause=facts.ban,
            next=f"dpps site resume {condition.rse}",
        )
    if facts.rest is not None:
        yield rest_finding(condition.rse, facts.rest)


def _equipment(seen: SiteObservation) -> Iterator[Finding]:
    condition = seen.facts.condition
    if not condition.attributes.get("fts"):
        yield Finding(
            code="fts-missing",
            weight=Weight.BLOCKS,
            fact="no attribute 'fts'",
            cause="the catalogue does not know which transfer service to ask, and waits without a word",
            next="start the system again, which sets it: dpps down, dpps up",
        )
    if not condition.copies_by_transfer:
        yield Finding(
            code="third-party-copy-missing",
            weight=Weight.BLOCKS,
            fact="no protocol allows third-party copies",
            next="give its protocol the priorities third_party_copy_read and _write",
        )
    for hold in seen.links:
        yield Finding(
            code="link-paused",
            weight=Weight.BLOCKS,
            fact=f"the link from {hold.source} to {hold.destination} is paused",
            cause=held_words(hold),
            next=f"dpps transfer resume --link {hold.source} {hold.destination}",
        )


def _traffic(seen: SiteObservation) -> Iterator[Finding]:
    if seen.traffic is not None:
        yield _movement(seen.traffic)
    elif not seen.silences:
        yield Finding(
            code="traffic-untold",
            weight=Weight.NOTE,
            fact="this transfer service does not tell what its links do",
        )
    if seen.limits and any(seen.limits):
        inbound, outbound = seen.limits
        yield Finding(
            code="limits",
            weight=Weight.NOTE,
            fact=f"files at once: {inbound or 'any number'} written, {outbound or 'any number'} read",
        )


def _movement(traffic: tuple[ServiceLink, ...]) -> Finding:
    return Finding(
        code="traffic",
        weight=Weight.NOTE,
        fact=f"{sum(one.active for one in traffic)} transfers active, "
        f"{sum(one.queued for one in traffic)} queued; in the last hour "
        f"{sum(one.finished for one in traffic)} arrived, "
        f"{sum(one.failed for one in traffic)} attempts failed",
    )


def _failures(seen: SiteObservation, now: datetime) -> Iterator[Finding]:
    classes = Counter(one.failure for one in seen.failures)
    for failure, count in classes.most_common():
        last = next(one for one in seen.failures if one.failure == failure)
        minutes = (now - last.finished_at).total_seconds() / 60
        yield Finding(
            code="failures",
            weight=Weight.NOTE,
            fact=f"{count} attempts failed of late: {failure}; the last {minutes:.0f} minutes ago",
            cause=last.reason,
        )


def _waiting(seen: SiteObservation) -> Iterator[Finding]:
    for one in seen.waiting:
        yield Finding(
            code="rule-waits",
            weight=Weight.WAITS,
            fact=f"{one.dataset} waits for copies here ({one.state.lower()})",
            next=f"dpps data why {one.dataset}",
        )
