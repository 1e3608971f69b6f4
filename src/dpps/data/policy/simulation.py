"""What would change in the world if a policy were another one; nothing is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dpps.data.audit.comparing import known_files
from dpps.data.policy.document import PreservationPolicy
from dpps.data.policy.expressions import parse_expression
from dpps.data.policy.plan import plan_rules, site_of
from dpps.data.ports import Catalogue, ReplicationRule, StorageElement
from dpps.domain.errors import Unavailable
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["DatasetChange", "Volume", "simulate_policy", "total_volumes"]


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
    impossible: str = ""
    """Why the policy cannot be kept for it with the present storages."""


def simulate_policy(
    principal: Principal,
    catalogue: Catalogue,
    policy: PreservationPolicy,
    *,
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
    datasets = catalogue.datasets(under)
    for dataset in datasets:
        change = _change(catalogue, policy, dataset, elements)
        if change.rules_made or change.rules_ended or change.made or change.removed or change.impossible:
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
    catalogue: Catalogue, policy: PreservationPolicy, dataset: str, elements: Sequence[StorageElement]
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
        wanted |= {(rule.copies, rule.expression): rule for rule in rules}
        _count(change, file, kind.copies, rules[-1].expression, theirs, elements)
    change.kinds = dict(kinds)
    ours = {(rule.copies, rule.expression) for rule in known if rule.kind is not None}
    change.rules_made = tuple(_words(*terms) for terms in sorted(set(wanted) - ours))
    change.rules_ended = (
        () if change.impossible else tuple(_words(*one) for one in sorted(ours - set(wanted)))
    )
    return change


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
