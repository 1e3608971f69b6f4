"""What would change in the world if a policy were another one; nothing is done."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from dpps.data.audit.comparing import known_files
from dpps.data.policy.document import PreservationPolicy
from dpps.data.policy.expressions import parse_expression
from dpps.data.policy.plan import plan_rules, site_of
from dpps.data.ports import Catalogue, ReplicationRule, StorageElement
from dpps.data.temporary import is_temporary
from dpps.domain.errors import Unavailable
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["DatasetChange", "EndChange", "Volume", "simulate_policy", "total_volumes"]

_END_TOLERANCE = timedelta(minutes=1)
"""Ends that differ by less are the same: the catalogue counts from when it made a rule."""


class EndChange(StrEnum):
    """What becomes of the moment at which the policy lets go of a dataset."""

    NONE = ""
    """Nothing."""
    LOSES = "loses its end"
    """It will be kept for ever."""
    LATER = "ends later"
    UNMOVED = "keeps its end"
    """The policy asks for an earlier one, or for one at all; what was promised holds."""


@dataclass(slots=True, kw_only=True)
class Volume:
    """Copies and bytes, to be made or removed."""

    copies: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count one copy."""
        self.copies += 1
        self.size_bytes += size_bytes


@dataclass(slots=True, kw_only=True)
class DatasetChange:
    """What would change for one dataset.

    Places are RSEs, or ``A|B`` where the catalogue would choose among several.
    """

    dataset: str
    files: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Files of each kind under the new policy."""
    rules_made: tuple[str, ...] = ()
    rules_ended: tuple[str, ...] = ()
    made: dict[str, Volume] = field(default_factory=dict)
    removed: dict[str, Volume] = field(default_factory=dict)
    end_change: EndChange = EndChange.NONE
    end_before: datetime | None = None
    """When the policy's rules let go of it as it is; None: never."""
    end_after: datetime | None = None
    """Likewise, after the change."""
    impossible: str = ""
    """Why the policy cannot be kept for it with the present storages."""

    @property
    def is_any(self) -> bool:
        """Tell whether anything would change."""
        rules_or_copies = self.rules_made or self.rules_ended or self.made or self.removed
        return bool(rules_or_copies or self.end_change or self.impossible)


def simulate_policy(
    principal: Principal,
    catalogue: Catalogue,
    policy: PreservationPolicy,
    *,
    first_seen: Callable[[Sequence[str]], Mapping[str, datetime]],
    now: datetime,
    under: str = "/",
    progress: Callable[[str, int], None] | None = None,
) -> Iterator[DatasetChange]:
    """Yield the datasets that would change under a policy; those that would not are left out.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue : Catalogue
        The archive.
    policy : PreservationPolicy
        What would be asked for.
    first_seen : callable
        Tells since when datasets have been known, by name; lifetimes count from then. New ones are left out.
    now : datetime
        The time.
    under : str
        Path below which to look.
    progress : callable, optional
        Gets the name of each dataset and how many there are.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    """
    authorize(principal, Action.READ, under)
    elements = catalogue.storage_elements()
    datasets = [one for one in catalogue.datasets(under) if not is_temporary(one)]
    seen_at = first_seen(datasets)
    for dataset in datasets:
        change = _change(catalogue, policy, dataset, elements, seen_at.get(dataset, now))
        if change.is_any:
            yield change
        if progress is not None:
            progress(dataset, len(datasets))


def total_volumes(changes: Sequence[DatasetChange]) -> dict[str, dict[str, Volume]]:
    """Return copies and bytes to be made and removed by place, over several datasets."""
    totals: dict[str, dict[str, Volume]] = {"made": {}, "removed": {}}
    for change in changes:
        for verb, volumes in (("made", change.made), ("removed", change.removed)):
            for place, volume in volumes.items():
                total = totals[verb].setdefault(place, Volume())
                total.copies += volume.copies
                total.size_bytes += volume.size_bytes
    return totals


def _change(
    catalogue: Catalogue,
    policy: PreservationPolicy,
    dataset: str,
    elements: Sequence[StorageElement],
    seen_at: datetime,
) -> DatasetChange:
    change = DatasetChange(dataset=dataset)
    known = catalogue.rules(dataset)
    kinds: Counter[str] = Counter()
    wanted: dict[tuple[int, str], ReplicationRule] = {}
    theirs = [rule for rule in known if rule.kind is None]
    for file in known_files(catalogue, dataset):
        kind = policy.kind_of(file.metadata)
        try:
            rules = plan_rules(policy, kind, dataset, elements)
        except Unavailable as impossible:
            change.impossible = impossible.message
            break
        kinds[kind.name] += 1
        change.files += 1
        for rule in rules:
            terms = (rule.copies, rule.expression)
            # The catalogue has one such rule a dataset: it keeps what stays longest.
            wanted[terms] = max(wanted.get(terms, rule), rule, key=_lifetime)
        _count(change, file, kind.copies, rules[-1].expression, theirs, elements)
    change.kinds = dict(kinds)
    ours = {(rule.copies, rule.expression): rule for rule in known if rule.kind is not None}
    change.rules_made = tuple(_words(*terms) for terms in sorted(set(wanted) - set(ours)))
    if not change.impossible:
        change.rules_ended = tuple(_words(*one) for one in sorted(set(ours) - set(wanted)))
        _note_end(change, ours, wanted, seen_at)
    return change


type _Rules = Mapping[tuple[int, str], ReplicationRule]


def _note_end(change: DatasetChange, ours: _Rules, wanted: _Rules, seen_at: datetime) -> None:
    """Compare when the policy's rules let go of a dataset, now and later."""
    if not ours or not wanted:
        return
    before = _last(rule.expires_at for rule in ours.values())
    asked = _last(_end(rule, seen_at) for rule in wanted.values())
    # Rules that are there never end earlier than they do, and those that replace them last as long.
    after = _last([before, asked])
    change.end_before, change.end_after = before, after
    if not _is_same(before, after):
        change.end_change = EndChange.LOSES if after is None else EndChange.LATER
    elif not _is_same(before, asked):
        change.end_change = EndChange.UNMOVED


def _is_same(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _END_TOLERANCE


def _last(ends: Iterable[datetime | None]) -> datetime | None:
    """Return the last of some ends; None, for ever, is later than all."""
    known = list(ends)
    return None if None in known else max(end for end in known if end is not None)


def _end(rule: ReplicationRule, seen_at: datetime) -> datetime | None:
    return None if rule.lifetime_seconds is None else seen_at + timedelta(seconds=rule.lifetime_seconds)


def _lifetime(rule: ReplicationRule) -> float:
    return math.inf if rule.lifetime_seconds is None else rule.lifetime_seconds


def _words(copies: int, expression: str) -> str:
    return f"{copies} at {expression}"


def _count(
    change: DatasetChange,
    file: ArchivedFile,
    copies: int,
    expression: str,
    theirs: Sequence[ReplicationRule],
    elements: Sequence[StorageElement],
) -> None:
    """Count the copies of one file that would be made and removed."""
    matches = parse_expression(expression)
    foreign = [parse_expression(rule.expression) for rule in theirs]
    by_rse = {element.rse: element for element in elements}
    there = [
        by_rse[one.rse] for one in file.replicas if one.state is ReplicaState.AVAILABLE and not one.onsite
    ]
    eligible = sorted((one for one in elements if matches(one)), key=lambda one: one.rse)
    good = [one for one in there if matches(one)]
    sites = {site_of(one) for one in good}
    free = "|".join(one.rse for one in eligible if site_of(one) not in sites)
    for _ in range(copies - len(sites)):
        change.made.setdefault(free, Volume()).add(file.content.size_bytes)
    for one in there:
        if not matches(one) and not any(test(one) for test in foreign):
            change.removed.setdefault(one.rse, Volume()).add(file.content.size_bytes)
    surplus = [one for one in good if not any(test(one) for test in foreign)]
    place = "|".join(one.rse for one in surplus)
    for _ in range(min(len(surplus), len(good) - copies)):
        change.removed.setdefault(place, Volume()).add(file.content.size_bytes)
