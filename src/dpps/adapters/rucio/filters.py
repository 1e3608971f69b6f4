"""Our queries as filters of Rucio's JSON metadata, as far as they mean the same there.

Rucio takes a disjunction of groups, each a conjunction of conditions (a dictionary ``key.operator`` → value).
It guesses the type of texts (a text like ``12`` or ``true`` becomes a number or a truth value), takes ``*``
and ``%`` as wildcards everywhere, compares numbers as floating-point ones, allows a key and an operator once
in a group, and knows neither ``is missing`` nor lists. What it would take differently is weakened or left out
here: the server's answer then holds all that meets the query and more, and is checked again on the files'
metadata.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

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
from dpps.data.query.keys import kind_of_key, known_keys
from dpps.products.metadata import TIME_KEYS

__all__ = ["CHANGED", "Group", "ServerQuery", "name_pattern", "server_query"]

type Group = dict[str, Scalar]

_SUFFIXES = {"=": "", "!=": ".ne", "<": ".lt", "<=": ".lte", ">": ".gt", ">=": ".gte"}
_OPPOSITES = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SAFE_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_ /.:@-]*|\d{4}-\d{2}-\d{2}", re.ASCII)
"""Texts that Rucio takes for texts; of dates it guesses those with a time of day only."""
_GUESSED = re.compile(r"true|false|none|nan|inf", re.IGNORECASE)
CHANGED = re.compile(r"true|TRUE|false|FALSE")
"""Words that Rucio writes in its own way wherever they stand in a text."""
_WILDS = re.compile(r"(?:\*|\?|\[[^\]]*\]|%)+")
_EXACT_MAX = 2**53
_GROUPS_MAX = 24
_CONDITIONS_MAX = 8
_TEXT_MAX = 120
_LIST_KINDS = ("strings", "integers")


@dataclass(frozen=True, slots=True)
class ServerQuery:
    """Groups of filters for the server."""

    groups: tuple[Group, ...]
    """Joined by or; one empty group filters nothing, none at all means that no file meets the query."""
    exact: bool
    """Whether the server decides exactly as we do, so that its answer needs no second look."""


_ALL = ServerQuery(groups=({},), exact=True)
_UNKNOWN = ServerQuery(groups=({},), exact=False)


def server_query(query: Query) -> ServerQuery:
    """Return the narrowest filters that let pass whatever meets a query."""
    return _translated(query, negated=False)


def name_pattern(pattern: str) -> str:
    """Return a pattern of names for the server, ``%`` for any text; it may let more pass than is meant.

    Rucio writes ``true`` and ``false`` with a capital before it looks.
    """
    return re.sub(r"%+", "%", CHANGED.sub("%", _WILDS.sub("%", pattern.replace("/**/", "%/"))))


def _translated(query: Query, *, negated: bool) -> ServerQuery:
    match query:
        case Not(part):
            return _translated(part, negated=not negated)
        case AllOf(parts):
            return _joined(parts, negated=negated, conjunction=not negated)
        case AnyOf(parts):
            return _joined(parts, negated=negated, conjunction=negated)
        case Presence():
            return _UNKNOWN
        case Between():
            ends = (
                Comparison(key=query.key, operator=">=", value=query.lowest),
                Comparison(key=query.key, operator="<=", value=query.highest),
            )
            return _on_list(query.key) or _joined(ends, negated=negated, conjunction=not negated)
        case OneOf():
            return _on_list(query.key) or _one_of(query, negated=negated)
        case Comparison():
            return _comparison(query, negated=negated)


def _joined(parts: Sequence[Query], *, negated: bool, conjunction: bool) -> ServerQuery:
    translated = [_translated(part, negated=negated) for part in parts]
    return reduce(_both, translated, _ALL) if conjunction else _either(translated)


def _either(parts: Sequence[ServerQuery]) -> ServerQuery:
    exact = all(part.exact for part in parts)
    groups: list[Group] = []
    for part in parts:
        groups += [group for group in part.groups if group not in groups]
    if any(not group for group in groups):
        return ServerQuery(groups=({},), exact=exact)
    return ServerQuery(groups=tuple(groups), exact=exact) if len(groups) <= _GROUPS_MAX else _UNKNOWN


def _both(one: ServerQuery, other: ServerQuery) -> ServerQuery:
    if len(one.groups) * len(other.groups) > _GROUPS_MAX:
        fewer = min(one, other, key=lambda part: (not any(part.groups), len(part.groups)))
        return ServerQuery(groups=fewer.groups, exact=False)
    merged = [_merged(left, right) for left in one.groups for right in other.groups]
    exact = one.exact and other.exact and all(complete for _, complete in merged)
    groups = tuple(group for group, _ in merged)
    return ServerQuery(groups=({},) if any(not group for group in groups) else groups, exact=exact)


def _merged(one: Group, other: Group) -> tuple[Group, bool]:
    """Join two groups; a condition whose key and operator are there already is left out."""
    merged = {**other, **one}
    complete = all(one.get(key, value) == value for key, value in other.items())
    few = dict(list(merged.items())[:_CONDITIONS_MAX])  # the address of a request has a limited length
    return few, complete and len(few) == len(merged)


def _one_of(query: OneOf, *, negated: bool) -> ServerQuery:
    values = tuple(dict.fromkeys(query.values))
    if negated or len(values) <= _GROUPS_MAX // 2:
        equals = [Comparison(key=query.key, operator="=", value=value) for value in values]
        return _joined(equals, negated=negated, conjunction=negated)
    ends = Between(key=query.key, lowest=min(values), highest=max(values))
    return ServerQuery(groups=_translated(ends, negated=False).groups, exact=False)


def _on_list(key: str) -> ServerQuery | None:
    return _UNKNOWN if kind_of_key(key, known_keys()) in _LIST_KINDS else None


def _comparison(query: Comparison, *, negated: bool) -> ServerQuery:
    if kind_of_key(query.key, known_keys()) in _LIST_KINDS:
        return _element(query, negated=negated)
    if query.operator == "like":
        pattern = _like(str(query.value))
        key = query.key + (".ne" if negated else "")
        return _UNKNOWN if pattern is None else ServerQuery(groups=({key: pattern},), exact=True)
    operator = _OPPOSITES[query.operator] if negated else query.operator
    value = _server_value(query.key, query.value)
    if value is None:
        return _UNKNOWN
    return ServerQuery(groups=({query.key + _SUFFIXES[operator]: value},), exact=True)


def _element(query: Comparison, *, negated: bool) -> ServerQuery:
    """Look for an element in the text of a list, where there are others that look like it."""
    text = str(query.value)
    if negated or query.operator not in ("=", "contains") or text == "" or not _is_plain(text):
        return _UNKNOWN
    if isinstance(query.value, float):
        return _UNKNOWN
    return ServerQuery(groups=({query.key: f"%{text}%"},), exact=False)


def _like(text: str) -> str | None:
    pattern = text.replace("*", "%")
    has_wildcard_and_text = "%" in pattern and pattern.strip("%") != ""
    return pattern if has_wildcard_and_text and _is_plain(pattern.replace("%", "")) else None


def _server_value(key: str, value: Scalar) -> Scalar | None:
    """Return the value with which the server decides as we do, or None."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < _EXACT_MAX else None
    if key in TIME_KEYS:
        return value  # nine decimals and no zone letter: no date format that Rucio would guess
    return value if _is_plain(value) and _SAFE_TEXT.fullmatch(value) else None


def _is_plain(text: str) -> bool:
    return (
        _GUESSED.search(text) is None
        and text.isprintable()
        and len(text) <= _TEXT_MAX
        and not any(sign in text for sign in ("\\", "%", "*", '"'))
    )
