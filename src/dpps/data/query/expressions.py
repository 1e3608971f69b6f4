"""Queries as values: conditions on metadata keys, joined by and, or, not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "EVERYTHING",
    "AllOf",
    "AnyOf",
    "Between",
    "Comparison",
    "Not",
    "OneOf",
    "Presence",
    "Query",
    "Scalar",
    "keys_of",
]

type Scalar = str | int | float | bool
type Query = Comparison | OneOf | Between | Presence | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One condition on one metadata key: ``key operator value``."""

    key: str
    operator: str
    """One of ``=  !=  <  <=  >  >=  like  contains``."""
    value: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """``key in (value, …)``."""

    key: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """``key between lowest and highest``, both included."""

    key: str
    lowest: Scalar
    highest: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """``key is present`` or ``key is missing``."""

    key: str
    present: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of several queries; with none, every file."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several queries."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a query; it says nothing of files of which the query says nothing."""

    part: Query


EVERYTHING = AllOf(())
"""The query that every file meets: an empty expression."""


def keys_of(query: Query) -> frozenset[str]:
    """Return the metadata keys that a query names."""
    match query:
        case AllOf(parts) | AnyOf(parts):
            return frozenset().union(*map(keys_of, parts))
        case Not(part):
            return keys_of(part)
        case _:
            return frozenset({query.key})
