"""Checking a policy before it is installed: what is wrong with it, and what is doubtful."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dpps.data.policy.document import PreservationPolicy, ProductKind
from dpps.data.policy.expressions import parse_expression
from dpps.data.policy.plan import plan_rules
from dpps.data.policy.reading import PolicyMistake, line_of, policy_mistakes
from dpps.data.ports import StorageElement
from dpps.domain.errors import Unavailable

__all__ = ["PolicyCheck", "check_policy"]

_BEYOND_AND = re.compile(r"\b(or|not)\b|[()']\s*and\s*'", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCheck:
    """What the check of a text showed."""

    policy: PreservationPolicy | None
    """None when the text is no policy."""
    errors: Sequence[PolicyMistake]
    warnings: Sequence[PolicyMistake]


def check_policy(text: str, elements: Sequence[StorageElement]) -> PolicyCheck:
    """Check the text of a policy against the present storages."""
    found = policy_mistakes(text)
    if not isinstance(found, PreservationPolicy):
        return PolicyCheck(policy=None, errors=found, warnings=())
    warnings = [
        PolicyMistake(line=line_of(text, ("kinds", number, key)), where=f"kinds.{number}.{key}", message=why)
        for number, kind in enumerate(found.kinds)
        for key, why in _doubts(found, number, kind, elements)
    ]
    return PolicyCheck(policy=found, errors=(), warnings=warnings)


def _doubts(
    policy: PreservationPolicy, number: int, kind: ProductKind, elements: Sequence[StorageElement]
) -> Iterator[tuple[str, str]]:
    wider = next((one for one in policy.kinds[:number] if _takes_all_of(one, kind)), None)
    if wider is not None:
        yield "where", f"no product is ever of the kind {kind.name}: {wider.name} above it takes them all"
    try:
        plan_rules(policy, kind, "/vo/scope/dataset", elements)
    except Unavailable as impossible:
        yield "distance_km" if kind.distance_km else "at", impossible.message
    onsite = [one.rse for one in elements if one.onsite and parse_expression(kind.at)(one)]
    if onsite and kind.free_onsite.when_verified:
        yield "at", f"it matches {', '.join(onsite)} on site, where copies are freed"
    if kind.first_copy_from == "onsite" and kind.further_copies_from == "anywhere" and kind.copies > 1:
        yield "further_copies_from", "every copy may be read on site: write offsite to use that link once"
    if kind.lifetime is not None and kind.name == "raw":
        yield "lifetime", "raw data cannot be made again: all their copies would go"


def _takes_all_of(wider: ProductKind, kind: ProductKind) -> bool:
    """Tell whether every product that meets a kind's conditions is sure to meet those of an earlier one."""
    if wider.where.strip() in ("", kind.where.strip()):
        return True
    if any(_BEYOND_AND.search(one.where) for one in (wider, kind)):
        return False  # nobody can tell by the words
    mine = {part.strip() for part in kind.where.split(" and ") if part.strip()}
    theirs = {part.strip() for part in wider.where.split(" and ") if part.strip()}
    return theirs <= mine
