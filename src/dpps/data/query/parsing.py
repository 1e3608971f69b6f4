"""Reading a query from text.

Grammar (words in capitals or not)::

    query     = [ any ]
    any       = all { "or" all }
    all       = part { "and" part }
    part      = "not" part | "(" any ")" | condition
    condition = key ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
              | key [ "not" ] "like" text
              | key [ "not" ] "contains" value
              | key [ "not" ] "in" "(" value { "," value } ")"
              | key [ "not" ] "between" value "and" value
              | key "is" ( "missing" | "present" )
    value     = 'text' | number | "true" | "false"

In a text a quote is doubled; in a pattern of ``like``, ``%`` and ``*`` stand for any text. Times are texts
like ``'2026-02-14'``, ``'2026-02-14 21:30'`` or ``'2026-02-14T21:30:05.25Z'``, in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from dpps.data.query.expressions import (
    EVERYTHING,
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
from dpps.data.query.keys import kind_of_key, known_keys, nearest_keys
from dpps.data.query.tokens import Token, malformed, tokens_of
from dpps.domain.errors import InvalidInput

__all__ = ["parse_query"]

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?Z?")
_RESERVED = ("and", "or", "not", "in", "like", "between", "contains", "is", "true", "false")
_DEPTH_MAX = 50
_WANTED = {
    "string": "a text in single quotes",
    "time": "a time in single quotes",
    "integer": "a number",
    "number": "a number",
    "boolean": "true or false",
}


def parse_query(expression: str, keys: Mapping[str, str] | None = None) -> Query:
    """Turn an expression into a query; an empty one is met by every file.

    Parameters
    ----------
    expression : str
        The text.
    keys : mapping, optional
        The keys that may be named, with the kind of their values; those of product metadata by default.

    Raises
    ------
    InvalidInput
        When the expression is malformed, names an unknown key or compares with a value of the wrong kind; the
        message points at the column (counted from 1).
    """
    if keys is None:
        return _parse_known(expression)
    return _Parser(expression, keys).query()


@lru_cache(maxsize=256)
def _parse_known(expression: str) -> Query:
    return _Parser(expression, known_keys()).query()


class _Parser:
    """Reads tokens from left to right, one function a rule of the grammar."""

    def __init__(self, expression: str, keys: Mapping[str, str]) -> None:
        self._expression = expression
        self._keys = keys
        self._tokens = tokens_of(expression)
        self._position = 0
        self._depth = 0

    def query(self) -> Query:
        if self._next.kind == "end":
            return EVERYTHING
        found = self._any()
        if self._next.kind != "end":
            raise self._wrong(f"'and' or 'or' is expected before {self._next.text!r}")
        return found

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._position += 1
        return token

    def _accept(self, *words: str) -> bool:
        if self._next.is_word(*words):
            self._position += 1
            return True
        return False

    def _sign(self, sign: str) -> bool:
        if (self._next.kind, self._next.text) == ("sign", sign):
            self._position += 1
            return True
        return False

    def _wrong(self, why: str, token: Token | None = None, next_step: str | None = None) -> InvalidInput:
        return malformed(self._expression, (token or self._next).column, why, next_step=next_step)

    def _any(self) -> Query:
        parts = [self._all()]
        while self._accept("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Query:
        parts = [self._part()]
        while self._accept("and"):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _part(self) -> Query:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._wrong(f"brackets and 'not' are nested deeper than {_DEPTH_MAX}")
        found = self._nested()
        self._depth -= 1
        return found

    def _nested(self) -> Query:
        if self._accept("not"):
            return Not(self._part())
        if self._sign("("):
            inner = self._any()
            if not self._sign(")"):
                raise self._wrong(f"')' is expected, not {self._next.text!r}")
            return inner
        return self._condition()

    def _condition(self) -> Query:
        key, kind = self._key()
        if self._accept("is"):
            return self._presence(key)
        negated = self._accept("not")
        found = self._with_word(key, kind)
        if found is None and not negated:
            found = self._with_operator(key, kind)
        if found is None:
            raise self._wrong(f"'like', 'contains', 'in' or 'between' is expected, not {self._next.text!r}")
        return Not(found) if negated else found

    def _key(self) -> tuple[str, str]:
        token = self._take()
        if token.kind != "word" or token.text.lower() in _RESERVED:
            raise self._wrong(f"a metadata key is expected, not {token.text}", token)
        kind = kind_of_key(token.text, self._keys)
        if kind is None:
            nearest = nearest_keys(token.text, self._keys)
            hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
            raise self._wrong(
                f"there is no metadata key {token.text!r}{hint}", token, next_step="list them: dpps data keys"
            )
        return token.text, kind

    def _presence(self, key: str) -> Query:
        token = self._take()
        if not token.is_word("missing", "present"):
            raise self._wrong(f"'missing' or 'present' is expected, not {token.text!r}", token)
        return Presence(key=key, present=token.is_word("present"))

    def _with_word(self, key: str, kind: str) -> Query | None:
        token = self._next
        if self._accept("like"):
            return Comparison(key=key, operator="like", value=self._pattern(key, kind, token))
        if self._accept("contains"):
            if kind not in ("strings", "integers"):
                raise self._wrong(f"{key} is no list; compare it with '=' or 'like'", token)
            return Comparison(key=key, operator="contains", value=self._value(key, kind))
        if self._accept("in"):
            return OneOf(key=key, values=self._values(key, kind))
        if self._accept("between"):
            self._ordered(key, kind, token)
            lowest = self._value(key, kind)
            if not self._accept("and"):
                raise self._wrong(f"'and' is expected between the two ends, not {self._next.text!r}")
            return Between(key=key, lowest=lowest, highest=self._value(key, kind))
        return None

    def _with_operator(self, key: str, kind: str) -> Query:
        token = self._take()
        if token.kind != "operator":
            raise self._wrong(f"an operator is expected, not {token.text!r}", token)
        if token.text not in ("=", "!="):
            self._ordered(key, kind, token)
        return Comparison(key=key, operator=token.text, value=self._value(key, kind))

    def _ordered(self, key: str, kind: str, token: Token) -> None:
        if kind == "boolean":
            raise self._wrong(f"{token.text!r} has no meaning for {key}, which is true or false", token)

    def _pattern(self, key: str, kind: str, operator: Token) -> str:
        if kind not in ("string", "strings", "time"):
            raise self._wrong(
                f"'like' has no meaning for {key}, whose values are {_values_of(kind)}", operator
            )
        token = self._take()
        if token.kind != "text":
            raise self._wrong("'like' needs a text, e.g. 'DL%'", token)
        return _unquoted(token)

    def _values(self, key: str, kind: str) -> tuple[Scalar, ...]:
        if not self._sign("("):
            raise self._wrong(f"'(' is expected after 'in', not {self._next.text!r}")
        values = [self._value(key, kind)]
        while self._sign(","):
            values.append(self._value(key, kind))
        if not self._sign(")"):
            raise self._wrong(f"',' or ')' is expected, not {self._next.text!r}")
        return tuple(values)

    def _value(self, key: str, kind: str) -> Scalar:
        token = self._take()
        value = self._literal(token)
        wanted = kind.removesuffix("s")
        if wanted == "time":
            return self._time(value, token)
        fits: type | tuple[type, ...] = {"boolean": bool, "string": str}.get(wanted, (int, float))
        if not isinstance(value, fits) or (wanted != "boolean" and isinstance(value, bool)):
            raise self._wrong(f"{key} is compared with {_WANTED[wanted]}, not with {token.text}", token)
        return value

    def _literal(self, token: Token) -> Scalar:
        if token.kind == "text":
            return _unquoted(token)
        if token.kind == "number":
            return float(token.text) if any(letter in token.text for letter in ".eE") else int(token.text)
        if token.is_word("true", "false"):
            return token.is_word("true")
        raise self._wrong(f"a value is expected, not {token.text!r}; write texts in single quotes", token)

    def _time(self, value: Scalar, token: Token) -> str:
        """Bring a time into the canonical form of metadata, in which text order is time order."""
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self._wrong(f"{value!r} is not a UTC time like '2026-02-14T21:30:00'", token)
        day, minute, second, fraction = match.groups()
        return f"{day}T{minute or '00:00'}:{second or '00'}.{(fraction or '').ljust(9, '0')}"


def _values_of(kind: str) -> str:
    return {"boolean": "true or false", "integers": "numbers"}.get(kind, "numbers")


def _unquoted(token: Token) -> str:
    return token.text[1:-1].replace("''", "'")
