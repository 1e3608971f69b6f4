"""What an operator does to sites and links: drain, pause, resume.

Everything goes through the catalogue and through FTS3's interface, so that it holds for any FTS3:

* **drain**: nothing new is placed at the site (availability to write is off); what is there is read as ever;
  rules that were about to place copies there look for another place.
* **pause**: nothing is read, written or deleted there; the transfer service drops what waits for it.
* **pause of a link**: the distance between two sites is taken away, without which the catalogue requests no
  transfer; what waits on the link is dropped, and requested again over another link, or this one later.

Who, when and why is written down first, with what `resume_site` must bring back: a change that was cut
anywhere is finished by repeating it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dpps.data.sites import Availability, Hold, HoldKind, SiteCondition, SiteParts
from dpps.data.transfers.lanes import storage_name
from dpps.domain.errors import Conflict, InvalidInput, NotFound
from dpps.domain.principals import Action, Principal, authorize

__all__ = [
    "SiteChange",
    "drain_site",
    "list_sites",
    "pause_link",
    "pause_site",
    "require_link",
    "resume_link",
    "resume_site",
    "show_site",
]

_JOBS_MAX = 500
_NOTHING = Availability(read=False, write=False, delete=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteChange:
    """What was done, or would be."""

    subject: str
    steps: tuple[str, ...]
    done: bool
    """False for a dry run."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One change: in words, and as a call."""

    words: str
    do: Callable[[], object]


def list_sites(principal: Principal, parts: SiteParts) -> list[tuple[SiteCondition, list[Hold]]]:
    """Return every site with what is held back there."""
    authorize(principal, Action.INSPECT, "the sites")
    holds = parts.holds.holds()
    return [
        (one, [hold for hold in holds if one.rse in {hold.source, hold.destination}])
        for one in parts.register.conditions()
    ]


def show_site(principal: Principal, parts: SiteParts, rse: str) -> tuple[SiteCondition, list[Hold]]:
    """Return one site with what is held back there, links included."""
    authorize(principal, Action.INSPECT, rse)
    (condition,) = parts.register.conditions([rse])
    return condition, [one for one in parts.holds.holds() if rse in {one.source, one.destination}]


def drain_site(
    principal: Principal, parts: SiteParts, rse: str, reason: str, *, dry_run: bool = False
) -> SiteChange:
    """Place nothing new at a site.

    Raises
    ------
    InvalidInput
        When the site is unknown or no reason is given.
    """
    authorize(principal, Action.OPERATE, rse)
    before = _condition(parts, rse, reason).availability
    held = _hold(principal, parts, _HoldKey(HoldKind.DRAIN, rse), reason, _as_dict(before))
    now = Availability(read=before.read, write=False, delete=before.delete)
    steps = [
        _Step(f"note that {held.held_by} drains {rse}: {reason}", partial(parts.holds.put, held)),
        _Step(f"place nothing new at {rse}", partial(parts.register.set_availability, rse, now)),
    ]
    steps += [
        _Step(
            f"let the rule on {one.dataset} look for another place",
            partial(parts.register.place_elsewhere, [one.rule_id]),
        )
        for one in parts.register.waiting_rules(rse)
    ]
    return _carry_out(f"drain {rse}", steps, dry_run=dry_run)


def pause_site(
    principal: Principal, parts: SiteParts, rse: str, reason: str, *, dry_run: bool = False
) -> SiteChange:
    """Read, write and delete nothing at a site until it is resumed.

    Raises
    ------
    InvalidInput
        When the site is unknown or no reason is given.
    """
    authorize(principal, Action.OPERATE, rse)
    condition = _condition(parts, rse, reason)
    storage = storage_name(condition.url_prefix)
    held = _hold(principal, parts, _HoldKey(HoldKind.PAUSE, rse), reason, _as_dict(condition.availability))
    steps = [
        _Step(f"note that {held.held_by} pauses {rse}: {reason}", partial(parts.holds.put, held)),
        _Step(
            f"read, write and delete nothing at {rse}",
            partial(parts.register.set_availability, rse, _NOTHING),
        ),
        _Step(f"drop the transfers that wait for {storage}", partial(_stop, parts, storage, reason)),
    ]
    return _carry_out(f"pause {rse}", steps, dry_run=dry_run)


def resume_site(principal: Principal, parts: SiteParts, rse: str, *, dry_run: bool = False) -> SiteChange:
    """End the drain and the pause of a site.

    Raises
    ------
    InvalidInput
        When the site is unknown.
    Conflict
        When it is neither drained nor paused.
    """
    authorize(principal, Action.OPERATE, rse)
    (condition,) = parts.register.conditions([rse])
    holds = [one for one in parts.holds.holds() if one.source == rse and one.kind is not HoldKind.LINK]
    if not holds:
        raise Conflict(
            f"{rse} is neither drained nor paused",
            code="site-not-held",
            next_step=f"see how it is: dpps site show {rse}",
            rse=rse,
        )
    before = _before_all(holds)
    storage = storage_name(condition.url_prefix)
    steps = [
        _Step(f"let {storage} be used again", partial(parts.transfers.unban, storage)),
        _Step(f"allow at {rse}: {_words(before)}", partial(parts.register.set_availability, rse, before)),
    ]
    steps += [
        _Step(f"forget the {one.kind.value}: {one.reason}", partial(parts.holds.remove, one)) for one in holds
    ]
    return _carry_out(f"resume {rse}", steps, dry_run=dry_run)


def pause_link(
    principal: Principal,
    parts: SiteParts,
    source: str,
    destination: str,
    reason: str,
    *,
    dry_run: bool = False,
) -> SiteChange:
    """Move nothing from one site to another until the link is resumed.

    Raises
    ------
    InvalidInput
        When a site is unknown, both are the same, or no reason is given.
    """
    authorize(principal, Action.OPERATE, f"{source} to {destination}")
    require_link(source, destination)
    names = [storage_name(_condition(parts, rse, reason).url_prefix) for rse in (source, destination)]
    held = _hold(
        principal,
        parts,
        _HoldKey(HoldKind.LINK, source, destination),
        reason,
        {"distance": parts.register.distance(source, destination)},
    )
    steps = [
        _Step(
            f"note that {held.held_by} pauses {source} to {destination}: {reason}",
            partial(parts.holds.put, held),
        ),
        _Step(
            f"request nothing from {source} to {destination}",
            partial(parts.register.set_distance, source, destination, None),
        ),
        _Step("drop the transfers that wait on the link", partial(_cancel, parts, *names)),
    ]
    return _carry_out(f"pause {source} to {destination}", steps, dry_run=dry_run)


def require_link(source: str, destination: str) -> None:
    """Refuse a link from a site to itself.

    Raises
    ------
    InvalidInput
        When both ends are the same.
    """
    if source == destination:
        raise InvalidInput(
            f"a link joins two sites, not {source} with itself",
            code="link-invalid",
            next_step="name two sites: --link SOURCE DESTINATION; list them: dpps site list",
            rse=source,
        )


def resume_link(
    principal: Principal, parts: SiteParts, source: str, destination: str, *, dry_run: bool = False
) -> SiteChange:
    """Let files move on a paused link again.

    Raises
    ------
    NotFound
        When the link is not paused.
    """
    authorize(principal, Action.OPERATE, f"{source} to {destination}")
    held = _known(parts, _HoldKey(HoldKind.LINK, source, destination))
    if held is None:
        raise NotFound(
            f"the link from {source} to {destination} is not paused",
            code="link-not-held",
            next_step="see what is: dpps site list",
            source=source,
            destination=destination,
        )
    before = held.remembered.get("distance")
    distance = int(before) if before is not None else 1
    steps = [
        _Step(
            f"request transfers from {source} to {destination} (distance {distance})",
            partial(parts.register.set_distance, source, destination, distance),
        ),
        _Step(f"forget the pause: {held.reason}", partial(parts.holds.remove, held)),
    ]
    return _carry_out(f"resume {source} to {destination}", steps, dry_run=dry_run)


def _carry_out(subject: str, steps: Sequence[_Step], *, dry_run: bool) -> SiteChange:
    if not dry_run:
        for step in steps:
            step.do()
    return SiteChange(subject=subject, steps=tuple(step.words for step in steps), done=not dry_run)


def _condition(parts: SiteParts, rse: str, reason: str) -> SiteCondition:
    """Return how a site is, provided that there is a reason to change it."""
    if not reason.strip():
        raise InvalidInput("no reason is given", next_step='say why: --reason "…"', code="reason-missing")
    (condition,) = parts.register.conditions([rse])
    return condition


@dataclass(frozen=True, slots=True)
class _HoldKey:
    kind: HoldKind
    source: str
    destination: str = ""


def _hold(
    principal: Principal,
    parts: SiteParts,
    key: _HoldKey,
    reason: str,
    remembered: Mapping[str, int | bool | None],
) -> Hold:
    known = _known(parts, key)
    return Hold(
        kind=key.kind,
        source=key.source,
        destination=key.destination,
        reason=reason,
        held_by=principal.name,
        held_at=parts.clock(),
        # Repeated, it must not take what it did itself for what was before.
        remembered=known.remembered if known else remembered,
    )


def _known(parts: SiteParts, key: _HoldKey) -> Hold | None:
    found = (one for one in parts.holds.holds() if _HoldKey(one.kind, one.source, one.destination) == key)
    return next(found, None)


def _before_all(holds: Sequence[Hold]) -> Availability:
    """Return what may be done where nothing is held back.

    Each hold remembers what it found, in which earlier ones show: what any of them found allowed was allowed.
    """
    return Availability(
        **{name: any(one.remembered.get(name) for one in holds) for name in ("read", "write", "delete")}
    )


def _as_dict(availability: Availability) -> dict[str, int | bool | None]:
    return {"read": availability.read, "write": availability.write, "delete": availability.delete}


def _words(availability: Availability) -> str:
    return ", ".join(name for name, value in _as_dict(availability).items() if value) or "nothing"


def _stop(parts: SiteParts, storage: str, reason: str) -> None:
    """Ban the storage where the service can, which cancels; else cancel what waits for it."""
    if not parts.transfers.ban(storage, reason):
        _cancel(parts, storage, None)
        _cancel(parts, None, storage)


def _cancel(parts: SiteParts, source: str | None, destination: str | None) -> None:
    """Cancel what waits; what is being copied may end."""
    seen: set[str] = set()
    while True:
        jobs = parts.transfers.jobs(
            states=("SUBMITTED",), source=source, destination=destination, limit=_JOBS_MAX
        )
        fresh = set(jobs) - seen
        if not fresh:
            return
        parts.transfers.cancel(sorted(fresh))
        seen |= fresh
