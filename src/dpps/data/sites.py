"""How sites are, what is held back there, and what changing it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dpps.data.transfers.service import TransferService

__all__ = [
    "Availability",
    "Hold",
    "HoldKind",
    "HoldStore",
    "SiteCondition",
    "SiteParts",
    "SiteRegister",
    "WaitingRule",
]


class HoldKind(StrEnum):
    """What an operator holds back."""

    DRAIN = "drain"
    PAUSE = "pause"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What may be done with the files of a storage."""

    read: bool = True
    write: bool = True
    delete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One thing that an operator holds back, and why."""

    kind: HoldKind
    source: str
    """The site, or the source of the link."""
    destination: str = ""
    """Destination of the link; empty for sites."""
    reason: str
    held_by: str
    held_at: datetime
    remembered: Mapping[str, int | bool | None] = field(default_factory=dict)
    """What it was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCondition:
    """A storage as the catalogue has it now."""

    rse: str
    onsite: bool
    url_prefix: str
    availability: Availability
    attributes: Mapping[str, str]
    copies_by_transfer: bool
    """Whether a protocol allows third-party copies, which every transfer is."""
    files: int = 0
    used_bytes: int = 0
    free_bytes: int | None = None
    """None where the storage does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRule:
    """A dataset that a rule wants at a site and that is not complete there."""

    rule_id: str
    dataset: str
    state: str


class SiteRegister(Protocol):
    """Storages, links and what waits for them, in the catalogue."""

    def conditions(self, rses: Sequence[str] | None = None) -> list[SiteCondition]:
        """Return storages, all by default, sorted by name.

        Raises
        ------
        InvalidInput
            When one of them is unknown; the message lists the known ones.
        """
        ...

    def set_availability(self, rse: str, availability: Availability) -> None:
        """Change what may be done with a storage."""
        ...

    def distance(self, source: str, destination: str) -> int | None:
        """Return the distance of a link; None when nothing may move on it."""
        ...

    def set_distance(self, source: str, destination: str, distance: int | None) -> None:
        """Change the distance of a link; None: nothing moves on it."""
        ...

    def waiting_rules(self, rse: str) -> list[WaitingRule]:
        """Return what is not complete at a storage yet."""
        ...

    def place_elsewhere(self, rule_ids: Sequence[str]) -> None:
        """Cancel the transfers of these rules and let the catalogue look for places again."""
        ...


class HoldStore(Protocol):
    """Remembers what is held back."""

    def holds(self) -> list[Hold]:
        """Return all, by kind, source and destination."""
        ...

    def put(self, hold: Hold) -> None:
        """Remember one, in place of an earlier one of the same kind and ends."""
        ...

    def remove(self, hold: Hold) -> None:
        """Forget one; absent is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteParts:
    """What the operations work with."""

    register: SiteRegister
    holds: HoldStore
    transfers: TransferService
    clock: Callable[[], datetime]
