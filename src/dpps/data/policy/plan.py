"""From the policy to replication rules: pure functions of policy and storages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from dpps.data.policy.document import OFFSITE_EXPRESSION, PreservationPolicy, ProductKind
from dpps.data.policy.expressions import parse_expression
from dpps.data.ports import ReplicationRule, StorageElement
from dpps.domain.errors import Unavailable
from dpps.domain.sites import great_circle_km

__all__ = ["OFFSITE_EXPRESSION", "distance_km", "eligible_storages", "largest_apart", "plan_rules", "site_of"]

ONSITE_EXPRESSION = "ONSITE=True"
"""RSE expression of the storages at the telescopes."""
_STEPS_MAX = 20_000
"""Steps of the search for the largest set of storages; two to the power of a dozen are fewer."""


def plan_rules(
    policy: PreservationPolicy, kind: ProductKind, dataset: str, elements: Sequence[StorageElement]
) -> tuple[ReplicationRule, ...]:
    """Return the rules that keep the products of a kind in a dataset.

    One rule asks for the first copy, a second one for all copies, read from where copies are already off
    site: the first copy counts for both, so there are as many copies as the policy says, and the on-site
    link is used once per file. Where further copies may come from anywhere, one rule asks for all.

    Raises
    ------
    Unavailable
        When the present storages cannot hold so many copies so far apart; the files wait where they are.
    """
    at = _expression(kind, elements)

    def rule(copies: int, source: str | None) -> ReplicationRule:
        return ReplicationRule(
            dataset=dataset,
            copies=copies,
            expression=at,
            source_expression=source,
            priority=kind.priority,
            lifetime_seconds=round(kind.lifetime.total_seconds()) if kind.lifetime else None,
            kind=kind.name,
            policy_digest=policy.digest,
        )

    first = ONSITE_EXPRESSION if kind.first_copy_from == "onsite" else None
    if kind.copies == 1:
        return (rule(1, first),)
    if kind.further_copies_from == "offsite":
        return rule(1, first), rule(kind.copies, OFFSITE_EXPRESSION)
    return (rule(kind.copies, None),)


def eligible_storages(kind: ProductKind, elements: Sequence[StorageElement]) -> list[StorageElement]:
    """Return the storages on which a kind's copies may lie: the most of those that match, by name.

    Any two of them are at different sites and as far apart as the policy asks. Among sets of one size the
    first in the order of names is taken, so that the answer depends on nothing else.
    """
    matching = sorted(filter(parse_expression(kind.at), elements), key=lambda one: one.rse)
    near: dict[str, set[str]] = {one.rse: set() for one in matching}
    for one, other in combinations(matching, 2):
        if not _may_both_hold(kind, one, other):
            near[one.rse].add(other.rse)
            near[other.rse].add(one.rse)
    chosen = set(largest_apart(near))
    return [one for one in matching if one.rse in chosen]


def _expression(kind: ProductKind, elements: Sequence[StorageElement]) -> str:
    eligible = eligible_storages(kind, elements)
    if len(eligible) < kind.copies:
        apart = f" at least {kind.distance_km:g} km apart" if kind.distance_km else ""
        raise Unavailable(
            f"{kind.name} products need {kind.copies} copies at {kind.at}{apart}; "
            f"the present storages can hold {len(eligible)}",
            code="policy-impossible",
            next_step="add storages, or change the policy: dpps data policy check FILE",
            kind=kind.name,
        )
    matching = [one for one in elements if parse_expression(kind.at)(one)]
    # The policy's own words where they say the same: a further storage then changes no rule.
    return kind.at if len(matching) == len(eligible) else "|".join(one.rse for one in eligible)


def _may_both_hold(kind: ProductKind, one: StorageElement, other: StorageElement) -> bool:
    if site_of(one) == site_of(other):
        return False
    if kind.distance_km is None:
        return True
    apart_km = distance_km(one, other)
    return apart_km is not None and apart_km >= kind.distance_km


def site_of(element: StorageElement) -> str:
    """Return the site of a storage: two storages of one site can be lost together."""
    return element.attributes.get("site", element.rse)


def distance_km(one: StorageElement, other: StorageElement) -> float | None:
    """Return the great-circle distance of two storages; None where the catalogue lacks a position."""
    try:
        here, there = (
            (float(element.attributes["latitude"]), float(element.attributes["longitude"]))
            for element in (one, other)
        )
    except (KeyError, ValueError):
        return None
    return great_circle_km(here, there)


def largest_apart(near: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the largest set of names of which no two are near each other; the first one by name."""
    search = _Search(near)
    search.extend((), tuple(sorted(near)))
    return search.best


class _Search:
    """Looks for the largest set, set by set in the order of names, without those that cannot be larger.

    The number of sets grows exponentially with that of the storages. Up to a dozen all are within the limit;
    beyond, the largest one that was found within it is taken: the same one every time, and possibly smaller
    than another that exists. Forty storages that are near each other in clusters are far below the limit.

    Parameters
    ----------
    near : mapping of str to set of str
        The names that are near each name.
    """

    def __init__(self, near: Mapping[str, set[str]]) -> None:
        self._near = near
        self._steps_left = _STEPS_MAX
        self.best: tuple[str, ...] = ()

    def extend(self, chosen: tuple[str, ...], left: tuple[str, ...]) -> None:
        """Look at the sets that hold what is chosen and some of what is left, which is near none of it."""
        self._steps_left -= 1
        if len(chosen) + self._most_apart(left) <= len(self.best) or self._steps_left < 0:
            return
        if not left:
            self.best = chosen
            return
        first, rest = left[0], left[1:]
        near = self._near[first]
        self.extend((*chosen, first), tuple(name for name in rest if name not in near))
        if near.intersection(rest):  # leaving out a storage that is near no other one makes the set smaller
            self.extend(chosen, rest)

    def _most_apart(self, names: Sequence[str]) -> int:
        """Return what no set of these names can exceed: of names that are all near each other one counts."""
        groups: list[list[str]] = []
        for name in names:
            near = self._near[name]
            group = next((one for one in groups if near.issuperset(one)), None)
            if group is None:
                groups.append([name])
            else:
                group.append(name)
        return len(groups)
