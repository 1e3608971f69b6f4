"""Our conditions as filters of Rucio's JSON metadata, as far as they mean the same there.

Rucio guesses the type of texts (a text like ``12`` or ``true`` becomes a number or a truth value), takes
``*`` and ``%`` as wildcards everywhere, compares numbers as floating-point ones, and allows a key and an
operator once. What it would take differently is weakened or left out here, and checked again by
`dpps.data.query.matches` on the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dpps.data.ports import Comparison
from dpps.products.metadata import TIME_KEYS

__all__ = ["ServerQuery", "server_query"]

_SUFFIXES = {"=": "", "!=": ".ne", "<": ".lt", "<=": ".lte", ">": ".gt", ">=": ".gte"}
_SAFE_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_ /.:@-]*")
_GUESSED = re.compile(r"true|false|none|nan|inf", re.IGNORECASE)
_EXACT_MAX = 2**53
_LISTS = ("dpps__inputs", "dpps__assumed", "dpps__tel_ids", "tel_ids")


@dataclass(frozen=True, slots=True)
class ServerQuery:
    """A filter for the server, and what is left to check on its answer."""

    filters: dict[str, str | int | float | bool]
    remainder: tuple[Comparison, ...]


def server_query(conditions: Sequence[Comparison]) -> ServerQuery:
    """Split conditions into what the server can answer exactly and what is to be checked here."""
    filters: dict[str, str | int | float | bool] = {}
    remainder: list[Comparison] = []
    for condition in conditions:
        key = condition.key + _SUFFIXES.get(condition.operator, "")
        value = _server_value(condition)
        if value is None or key in filters:
            remainder.append(condition)
        else:
            filters[key] = value
    return ServerQuery(filters=filters, remainder=tuple(remainder))


def _server_value(condition: Comparison) -> str | int | float | bool | None:
    """Return the value with which the server decides as we do, or None."""
    value = condition.value
    if condition.key in _LISTS or value is None or isinstance(value, list):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < _EXACT_MAX else None
    if condition.operator == "like":
        pattern = value.replace("*", "%")
        has_wildcard_and_text = "%" in pattern and pattern.strip("%") != ""
        return pattern if has_wildcard_and_text and _is_plain(pattern.replace("%", "")) else None
    if condition.key in TIME_KEYS:
        return value  # nine decimals and no zone letter: no date format that Rucio would guess
    return value if _is_plain(value) and _SAFE_TEXT.fullmatch(value) else None


def _is_plain(text: str) -> bool:
    return _GUESSED.search(text) is None and "\\" not in text and "%" not in text and "*" not in text
