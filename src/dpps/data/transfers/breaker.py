"""A storage that does not answer rests: its files wait instead of failing one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dpps.data.transfers.failures import End, FailureClass
from dpps.data.transfers.lanes import Lane
from dpps.data.transfers.records import Settlement
from dpps.data.transfers.states import FileState

__all__ = ["FAILURES_MAX", "Breaker", "after_attempt", "breakers_after"]

FAILURES_MAX: Final = 3
"""Failures in a row after which a storage rests."""
_FIRST_PAUSE_SECONDS: Final = 15.0
_LONGEST_PAUSE_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is known of a storage that failed lately."""

    storage: str
    failures: int
    """In a row."""
    reason: str
    since: datetime
    """First of these failures."""
    rests_until: datetime | None = None
    """When one file is tried again; None while the failures are too few to rest."""


def breakers_after(
    lane: Lane, settlement: Settlement, known: dict[str, Breaker], now: datetime
) -> dict[str, Breaker | None]:
    """Return what changes for the storages of a lane when one of its attempts ends; None: all is well again.

    Only what the attempt proved counts: a file that arrived proves both storages well, a network failure
    accuses the end that it happened at, and any other failure proves nothing of a resting storage.
    """
    failure = settlement.failure
    if failure is not None and failure.kind is FailureClass.NETWORK:
        guilty = lane.source if failure.end is End.SOURCE else lane.destination
        return {guilty: after_attempt(known.get(guilty), guilty, failure.reason, now)}
    if settlement.state is FileState.FINISHED:
        return {storage: None for storage in (lane.source, lane.destination) if storage in known}
    return {}


def after_attempt(known: Breaker | None, storage: str, reason: str, now: datetime) -> Breaker:
    """Return the breaker of a storage after one more network failure.

    The pause doubles with every failure beyond those that opened the breaker. Attempts that were under way
    when it opened do not lengthen it.
    """
    failures = (known.failures if known else 0) + 1
    since = known.since if known else now
    if known is not None and known.rests_until is not None and known.rests_until > now:
        return Breaker(
            storage=storage,
            failures=known.failures,
            reason=reason,
            since=since,
            rests_until=known.rests_until,
        )
    until = None
    if failures >= FAILURES_MAX:
        pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** (failures - FAILURES_MAX), _LONGEST_PAUSE_SECONDS)
        until = now + timedelta(seconds=pause)
    return Breaker(storage=storage, failures=failures, reason=reason, since=since, rests_until=until)
