"""Deciding whether metadata meet a query.

The logic has three values, as SQL's: a condition on a key that a file lacks, or on a value of another kind
than the one compared with, is neither true nor false, and ``not`` leaves it so. A file meets a query when the
answer is true. ``is missing`` and ``is present`` always have an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import eq, ge, gt, le, lt

from dpps.data.query.expressions import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Not,
    OneOf,
    Presence,
    Query,
    Scalar,
)
from dpps.domain.files import MetadataValue

__all__ = ["matches"]

_ORDERINGS: Mapping[str, Callable[..., bool]] = {
    "=": eq,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "contains": eq,
}


def matches(metadata: Mapping[str, MetadataValue], query: Query) -> bool:
    """Tell whether metadata meet a query.

    A list meets a condition when one of its elements does; ``!=`` is the opposite of ``=``: no element is
    equal.
    """
    return _truth(metadata, query) is True


def _truth(metadata: Mapping[str, MetadataValue], query: Query) -> bool | None:
    match query:
        case AllOf(parts):
            return _all(_truth(metadata, part) for part in parts)
        case AnyOf(parts):
            return _opposite(_all(_opposite(_truth(metadata, part)) for part in parts))
        case Not(part):
            return _opposite(_truth(metadata, part))
        case Presence():
            return (metadata.get(query.key) is not None) is query.present
        case _:
            return _leaf(metadata.get(query.key), query)


def _leaf(value: MetadataValue, query: Comparison | OneOf | Between) -> bool | None:
    if value is None:
        return None
    if isinstance(query, Comparison) and query.operator == "!=":
        equal = Comparison(key=query.key, operator="=", value=query.value)
        return _opposite(_leaf(value, equal))
    items: Iterable[Scalar] = value if isinstance(value, list) else (value,)
    answers = [_item(item, query) for item in items]
    return True if True in answers else (False if False in answers or not answers else None)


def _item(item: Scalar, query: Comparison | OneOf | Between) -> bool | None:
    if isinstance(query, Between):
        return _all((_compare(item, ">=", query.lowest), _compare(item, "<=", query.highest)))
    if isinstance(query, OneOf):
        return _opposite(_all(_opposite(_compare(item, "=", value)) for value in query.values))
    return _compare(item, query.operator, query.value)


def _compare(item: Scalar, operator: str, wanted: Scalar) -> bool | None:
    if _kind(item) != _kind(wanted):
        return None
    if operator == "like":
        return _pattern(str(wanted)).fullmatch(str(item)) is not None
    return _ORDERINGS[operator](item, wanted)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"[%*]", text)), re.DOTALL)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text"


def _all(answers: Iterable[bool | None]) -> bool | None:
    seen = set(answers)
    return False if False in seen else (None if None in seen else True)


def _opposite(answer: bool | None) -> bool | None:
    return None if answer is None else not answer
