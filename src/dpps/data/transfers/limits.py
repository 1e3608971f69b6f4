"""How much may move where: limits, bans and shares as FTS3 has them, and what they allow now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from dpps.data.transfers.lanes import ANY, DEFAULT_ACTIVITY, Lane, is_named

__all__ = [
    "Active",
    "ActivityShares",
    "BanStatus",
    "BannedStorage",
    "LaneLoad",
    "LimitsStore",
    "LinkLimit",
    "StorageLimit",
    "TransferLimits",
    "open_lanes",
    "take_turn",
    "why_closed",
]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LinkLimit(_Value):
    """How many files may move on a link at the same time."""

    symbolicname: str = Field(min_length=1, max_length=500)
    source: str = ANY
    destination: str = ANY
    min_active: int = Field(default=0, ge=0)
    max_active: int = Field(default=0, ge=0)
    """0 is no limit, as in FTS3."""

    def covers(self, lane: Lane) -> bool:
        """Tell whether the limit is one of this lane's link."""
        return is_named(self.source, lane.source) and is_named(self.destination, lane.destination)


class StorageLimit(_Value):
    """How many files may be read from and written to a storage at the same time."""

    storage: str = Field(min_length=1)
    inbound_max_active: int | None = Field(default=None, ge=0)
    """0 or None is no limit."""
    outbound_max_active: int | None = Field(default=None, ge=0)


class BanStatus(StrEnum):
    """What becomes of the files that wait for a banned storage."""

    WAIT = "WAIT"
    CANCEL = "CANCEL"


class BannedStorage(_Value):
    """A storage that nothing is moved from or to."""

    storage: str = Field(min_length=1)
    message: str = ""
    status: BanStatus = BanStatus.WAIT
    timeout_seconds: int = Field(default=0, ge=0)
    """How long waiting files wait before they are canceled; 0: for ever."""
    banned_at: datetime


class ActivityShares(_Value):
    """By what weights activities share the mover."""

    active: bool = True
    weights: Mapping[str, float] = Field(default_factory=dict)

    def weight(self, activity: str) -> float:
        """Return the weight of an activity; one that is not listed has the weight of ``default``, else 1."""
        return self.weights.get(activity, self.weights.get(DEFAULT_ACTIVITY, 1.0))


class TransferLimits(_Value):
    """All that an operator has set."""

    links: tuple[LinkLimit, ...] = ()
    storages: tuple[StorageLimit, ...] = ()
    bans: tuple[BannedStorage, ...] = ()
    shares: Mapping[str, ActivityShares] = Field(default_factory=dict)
    """By VO."""


class LimitsStore(Protocol):
    """Keeps the limits; the queue of the same store honours them from the next claim on."""

    def limits(self) -> TransferLimits:
        """Return what is set."""
        ...

    def change_limits(self, change: Callable[[TransferLimits], TransferLimits]) -> TransferLimits:
        """Replace what is set by what ``change`` makes of it, at once and whole; return it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLoad:
    """A lane and how many of its files move now."""

    lane: Lane
    active: int


def open_lanes(
    loads: Sequence[LaneLoad], limits: TransferLimits, resting: Mapping[str, datetime], now: datetime
) -> set[Lane]:
    """Return the lanes in which one more file may start to move.

    Parameters
    ----------
    loads : sequence of LaneLoad
        Every lane.
    limits : TransferLimits
        What is set.
    resting : mapping
        Storages whose breaker is open, and until when; afterwards one file at a time is tried there.
    now : datetime
        Time of the decision.
    """
    active = Active(loads)
    return {load.lane for load in loads if not why_closed(load.lane, active, limits, resting, now)}


class Active:
    """How many files move now, seen from links and from storages."""

    def __init__(self, loads: Iterable[LaneLoad]) -> None:
        self.links: dict[tuple[str, str], int] = {}
        self.inbound: dict[str, int] = {}
        self.outbound: dict[str, int] = {}
        for load in loads:
            link = (load.lane.source, load.lane.destination)
            self.links[link] = self.links.get(link, 0) + load.active
            self.outbound[link[0]] = self.outbound.get(link[0], 0) + load.active
            self.inbound[link[1]] = self.inbound.get(link[1], 0) + load.active

    def at(self, storage: str) -> int:
        """Return how many files move from or to a storage."""
        return self.inbound.get(storage, 0) + self.outbound.get(storage, 0)


def why_closed(
    lane: Lane,
    active: Active,
    limits: TransferLimits,
    resting: Mapping[str, datetime],
    now: datetime,
) -> str:
    """Return why nothing more may start in a lane; empty when something may."""
    for storage in (lane.source, lane.destination):
        if any(is_named(ban.storage, storage) for ban in limits.bans):
            return f"{storage} is banned"
        if storage in resting and (resting[storage] > now or active.at(storage)):
            return f"{storage} rests after failures"
    reached = (
        _reached(_link_limit(lane, limits), active.links[lane.source, lane.destination]),
        _reached(_storage_limit(lane.source, limits, "outbound"), active.outbound[lane.source]),
        _reached(_storage_limit(lane.destination, limits, "inbound"), active.inbound[lane.destination]),
    )
    names = (f"link {lane.source} to {lane.destination}", f"reading {lane.source}", lane.destination)
    return next((f"limit of {name}" for name, full in zip(names, reached, strict=True) if full), "")


def _reached(limit: int | None, active: int) -> bool:
    return bool(limit) and active >= (limit or 0)


def _link_limit(lane: Lane, limits: TransferLimits) -> int:
    """Return the limit that names the link most closely: both ends, then the source, the destination, any."""
    covering = [one for one in limits.links if one.covers(lane)]
    closest = max(covering, key=lambda one: 2 * (one.source != ANY) + (one.destination != ANY), default=None)
    return closest.max_active if closest else 0


def _storage_limit(storage: str, limits: TransferLimits, way: str) -> int | None:
    covering = [one for one in limits.storages if is_named(one.storage, storage)]
    closest = max(covering, key=lambda one: one.storage != ANY, default=None)
    return getattr(closest, f"{way}_max_active") if closest else None


def take_turn(
    waiting: Sequence[str], shares: ActivityShares, served: Mapping[str, float]
) -> tuple[str, dict[str, float]]:
    """Return the activity whose turn it is, and what each activity got once it has taken it.

    Stride scheduling [1]_: what an activity got grows by one over its weight with each file that starts,
    and the one that got least is next. So activities with waiting files start files in proportion to their
    weights, and none with a positive weight waits for ever. One that had nothing to do for a while starts
    level with the others: it cannot save up turns.

    Parameters
    ----------
    waiting : sequence of str
        Activities that have a file which may start; at least one.
    shares : ActivityShares
        The weights. Activities of weight 0 get what others leave.
    served : mapping
        What each activity got so far; under `ANY`, how far the turns have come.

    References
    ----------
    .. [1] C. A. Waldspurger, W. E. Weihl, "Stride Scheduling: Deterministic Proportional-Share Resource
       Management", MIT/LCS/TM-528, 1995.
    """
    now = served.get(ANY, 0.0)
    level = {one: max(served.get(one, now), now) for one in waiting}
    activity = min(waiting, key=lambda one: (shares.weight(one) <= 0, level[one], one))
    weight = shares.weight(activity)
    if weight <= 0:
        return activity, dict(served)
    return activity, dict(served) | {ANY: level[activity], activity: level[activity] + 1.0 / weight}
