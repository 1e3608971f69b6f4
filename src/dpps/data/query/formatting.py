"""Writing a query as text that `dpps.data.query.parsing.parse_query` reads back unchanged."""

from __future__ import annotations

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

__all__ = ["format_query"]


def format_query(query: Query) -> str:
    """Return the expression that would be parsed into this query; empty for the query of every file."""
    match query:
        case AllOf(parts):
            return " and ".join(_inner(part, (AllOf, AnyOf)) for part in parts)
        case AnyOf(parts):
            return " or ".join(_inner(part, (AnyOf,)) for part in parts)
        case Not(part):
            return f"not {_inner(part, (AllOf, AnyOf))}"
        case Comparison():
            return f"{query.key} {query.operator} {_literal(query.value)}"
        case OneOf():
            return f"{query.key} in ({', '.join(map(_literal, query.values))})"
        case Between():
            return f"{query.key} between {_literal(query.lowest)} and {_literal(query.highest)}"
        case Presence():
            return f"{query.key} is {'present' if query.present else 'missing'}"


def _inner(part: Query, bracketed: tuple[type, ...]) -> str:
    text = format_query(part)
    return f"({text})" if isinstance(part, bracketed) else text


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.replace("'", "''") + "'"
