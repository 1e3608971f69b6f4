"""Finding files by their metadata: a small expression language and the use case behind ``dpps data find``.

An expression is a list of conditions joined by ``and``::

    data__level = 'DL0' and instance__obs_id = 2000000456 and dpps__toy = false

Operators are ``= != < <= > >= like``; in a ``like`` pattern ``%`` (or ``*``) stands for any text.
A condition on a key that a file lacks is not met, whatever the operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne

from dpps.data.ports import Catalogue, Comparison
from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile, MetadataValue
from dpps.domain.principals import Action, Principal, authorize
from dpps.products.metadata import TIME_KEYS

__all__ = ["find_files", "format_query", "matches", "parse_query"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
      | (?P<operator><=|>=|!=|=|<|>)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    )""",
    re.VERBOSE,
)
_ORDERINGS: Mapping[str, Callable[..., bool]] = {
    "=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?Z?")

type _Token = tuple[str, str, int]


def parse_query(expression: str) -> list[Comparison]:
    """Turn an expression into conditions; an empty one has none.

    Raises
    ------
    InvalidInput
        When the expression is malformed; the message points at the column (counted from 1).
    """
    tokens = _tokens(expression)
    conditions: list[Comparison] = []
    position = 0
    while position < len(tokens):
        if conditions:
            _expect_and(expression, tokens[position])
            position += 1
        conditions.append(_condition(expression, *_three(tokens[position:], len(expression))))
        position += 3
    return conditions


def format_query(conditions: Sequence[Comparison]) -> str:
    """Return the expression that `parse_query` would turn into these conditions."""
    return " and ".join(f"{c.key} {c.operator} {_literal(c.value)}" for c in conditions)


def matches(metadata: Mapping[str, MetadataValue], condition: Comparison) -> bool:
    """Tell whether metadata meet a condition.

    A list meets it when one of its elements does. Values of different kinds (text, number, truth value)
    are never equal and have no order.
    """
    value = metadata.get(condition.key)
    if value is None:
        return False
    if isinstance(value, list):
        return any(_meets(item, condition) for item in value)
    return _meets(value, condition)


def find_files(
    principal: Principal,
    catalogue: Catalogue,
    expression: str,
    *,
    under: str = "/",
    limit: int | None = None,
) -> list[ArchivedFile]:
    """Return the files of the archive that meet an expression, by name.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue : Catalogue
        Where to look.
    expression : str
        Conditions; empty for all files.
    under : str
        Path below which to look.
    limit : int, optional
        At most so many files.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    InvalidInput
        When the expression is malformed.
    """
    authorize(principal, Action.READ, under)
    lfns = catalogue.find(parse_query(expression), under=under, limit=limit)
    return [file for file in catalogue.files(lfns) if file is not None]


def _meets(value: MetadataValue, condition: Comparison) -> bool:
    wanted = condition.value
    if condition.operator == "like":
        pattern = ".*".join(re.escape(part) for part in re.split(r"[%*]", str(wanted)))
        return isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None
    if _kind(value) != _kind(wanted):
        return condition.operator == "!="
    if isinstance(value, bool) and condition.operator not in ("=", "!="):
        return False
    return _ORDERINGS[condition.operator](value, wanted)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text"


def _tokens(expression: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while expression[position:].strip():
        match = _TOKEN.match(expression, position)
        if match is None:
            column = position + len(expression[position:]) - len(expression[position:].lstrip())
            what = (
                "the text is not closed"
                if expression[column] == "'"
                else f"{expression[column]!r} is not understood"
            )
            raise _malformed(expression, column, what)
        kind = str(match.lastgroup)
        tokens.append((kind, match.group(kind), match.start(kind)))
        position = match.end()
    return tokens


def _expect_and(expression: str, token: _Token) -> None:
    if token[0] != "word" or token[1].lower() != "and":
        raise _malformed(expression, token[2], f"'and' is expected before {token[1]!r}")


def _three(tokens: Sequence[_Token], end: int) -> tuple[_Token, _Token, _Token]:
    """Return the next three tokens, with the end of the expression in the place of those that lack."""
    missing: _Token = ("end", "the end", end)
    first, second, third = [*tokens[:3], missing, missing, missing][:3]
    return first, second, third


def _condition(expression: str, key_token: _Token, operator_token: _Token, value: _Token) -> Comparison:
    (key_kind, key, key_column), (operator_kind, operator, operator_column) = key_token, operator_token
    if key_kind != "word":
        raise _malformed(expression, key_column, f"a metadata key is expected, not {key}")
    operator = operator.lower()
    if operator_kind != "operator" and operator != "like":
        raise _malformed(expression, operator_column, f"an operator is expected, not {operator!r}")
    parsed = _value(expression, value)
    if operator == "like" and not isinstance(parsed, str):
        raise _malformed(expression, value[2], "'like' needs a text, e.g. 'DL%'")
    if isinstance(parsed, bool) and operator not in ("=", "!="):
        raise _malformed(expression, operator_column, f"{operator!r} has no meaning for true and false")
    if key in TIME_KEYS and operator != "like":
        parsed = _time(expression, parsed, value[2])
    return Comparison(key=key, operator=operator, value=parsed)


def _value(expression: str, token: _Token) -> str | int | float | bool:
    kind, text, column = token
    if kind == "text":
        return text[1:-1].replace("''", "'")
    if kind == "number":
        return float(text) if any(letter in text for letter in ".eE") else int(text)
    if kind == "word" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise _malformed(expression, column, f"a value is expected, not {text!r}; write texts in single quotes")


def _time(expression: str, value: object, column: int) -> str:
    """Bring a time into the canonical form of metadata, in which text order is time order."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _malformed(expression, column, f"{value!r} is not a UTC time like '2026-02-14T21:30:00'")
    day, minute, second, fraction = match.groups()
    return f"{day}T{minute or '00:00'}:{second or '00'}.{(fraction or '').ljust(9, '0')}"


def _literal(value: MetadataValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _malformed(expression: str, column: int, why: str) -> InvalidInput:
    return InvalidInput(
        f"the query is not understood at column {column + 1}: {why}\n  {expression}\n  {' ' * column}^",
        code="query-invalid",
        next_step="write conditions like: data__level = 'DL0' and instance__obs_id = 2000000456",
        expression=expression,
        column=column + 1,
    )
