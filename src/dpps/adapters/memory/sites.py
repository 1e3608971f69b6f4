"""Sites and what is held back there, in this process: for tests and dry runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dpps.data.sites import Availability, Hold, SiteCondition, WaitingRule
from dpps.domain.errors import InvalidInput

__all__ = ["MemoryHoldStore", "MemorySiteRegister"]


class MemoryHoldStore:
    """Implements ``HoldStore``."""

    def __init__(self) -> None:
        self._holds: dict[tuple[str, str, str], Hold] = {}

    def holds(self) -> list[Hold]:
        """Return all, by kind, source and destination."""
        return [self._holds[key] for key in sorted(self._holds)]

    def put(self, hold: Hold) -> None:
        """Remember one, in place of an earlier one of the same kind and ends."""
        self._holds[_key(hold)] = hold

    def remove(self, hold: Hold) -> None:
        """Forget one; absent is no error."""
        self._holds.pop(_key(hold), None)


def _key(hold: Hold) -> tuple[str, str, str]:
    return hold.kind.value, hold.source, hold.destination


class MemorySiteRegister:
    """Implements ``SiteRegister``.

    Parameters
    ----------
    conditions : sequence of SiteCondition
        The sites; all links between them have the distance 1.
    waiting : sequence of WaitingRule
        What waits, at every site.
    """

    def __init__(self, conditions: Sequence[SiteCondition], waiting: Sequence[WaitingRule] = ()) -> None:
        self._conditions = {one.rse: one for one in conditions}
        self._distances: dict[tuple[str, str], int | None] = {}
        self._waiting = list(waiting)

    def conditions(self, rses: Sequence[str] | None = None) -> list[SiteCondition]:
        """Return storages, all by default, sorted by name."""
        for rse in rses or ():
            if rse not in self._conditions:
                known = ", ".join(sorted(self._conditions))
                raise InvalidInput(f"there is no storage {rse!r}", next_step=f"use one of: {known}", rse=rse)
        return [self._conditions[rse] for rse in sorted(rses if rses is not None else self._conditions)]

    def set_availability(self, rse: str, availability: Availability) -> None:
        """Change what may be done with a storage."""
        self._conditions[rse] = replace(self._conditions[rse], availability=availability)

    def distance(self, source: str, destination: str) -> int | None:
        """Return the distance of a link; None when nothing may move on it."""
        return self._distances.get((source, destination), 1)

    def set_distance(self, source: str, destination: str, distance: int | None) -> None:
        """Change the distance of a link; None: nothing moves on it."""
        self._distances[source, destination] = distance

    def waiting_rules(self, rse: str) -> list[WaitingRule]:
        """Return what is not complete at a storage yet."""
        return list(self._waiting) if rse in self._conditions else []

    def place_elsewhere(self, rule_ids: Sequence[str]) -> None:
        """Forget what waits."""
        self._waiting = [one for one in self._waiting if one.rule_id not in rule_ids]
