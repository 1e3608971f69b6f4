"""Words, texts, numbers and signs of a query, with their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpps.domain.errors import InvalidInput

__all__ = ["Token", "malformed", "tokens_of"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
      | (?P<operator><=|>=|!=|=|<|>)
      | (?P<sign>[(),])
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of an expression."""

    kind: str
    """``text``, ``number``, ``operator``, ``sign``, ``word`` or ``end``."""
    text: str
    column: int
    """Where it begins, counted from 0."""

    def is_word(self, *words: str) -> bool:
        """Tell whether it is one of these words, in capitals or not."""
        return self.kind == "word" and self.text.lower() in words


def tokens_of(expression: str) -> list[Token]:
    """Cut an expression into tokens; the last one has the kind ``end``.

    Raises
    ------
    InvalidInput
        When something is none of them.
    """
    tokens: list[Token] = []
    position = 0
    while expression[position:].strip():
        match = _TOKEN.match(expression, position)
        if match is None:
            column = position + len(expression[position:]) - len(expression[position:].lstrip())
            closed = expression[column] != "'"
            why = f"{expression[column]!r} is not understood" if closed else "the text is not closed"
            raise malformed(expression, column, why)
        kind = str(match.lastgroup)
        tokens.append(Token(kind, match.group(kind), match.start(kind)))
        position = match.end()
    return [*tokens, Token("end", "the end", len(expression))]


def malformed(expression: str, column: int, why: str, *, next_step: str | None = None) -> InvalidInput:
    """Return the error that points at a column (counted from 0) of an expression."""
    return InvalidInput(
        f"the query is not understood at column {column + 1}: {why}\n  {expression}\n  {' ' * column}^",
        code="query-invalid",
        next_step=next_step or "write conditions like: data__level = 'DL0' and instance__obs_id = 2000000456",
        expression=expression,
        column=column + 1,
    )
