r"""RSE expressions as Rucio reads them, evaluated over the storages that we know.

``OFFSITE=True``, ``country=CH``, ``tier<3``, ``PIC``, ``*``, joined from left to right by ``|`` (union),
``&`` (intersection) and ``\`` (without), with parentheses. Rucio's own evaluation decides where copies go;
this one is for planning, checking and explaining, and a test compares the two.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping

from dpps.data.ports import StorageElement
from dpps.domain.errors import InvalidInput

__all__ = ["ExpressionTest", "parse_expression"]

type ExpressionTest = Callable[[StorageElement], bool]

_TOKEN = re.compile(r"(?P<sign>[()|&\\])|(?P<word>\*|[A-Za-z0-9._-]+(?:[=<>][A-Za-z0-9_.-]+)?)")
_CONDITION = re.compile(r"([A-Za-z0-9._-]+)([=<>])([A-Za-z0-9_.-]+)")
_SETS: Mapping[str, Callable[[bool, bool], bool]] = {
    "|": lambda left, right: left or right,
    "&": lambda left, right: left and right,
    "\\": lambda left, right: left and not right,
}
_ORDERINGS: Mapping[str, Callable[[float, float], bool]] = {"<": operator.lt, ">": operator.gt}


def parse_expression(expression: str) -> ExpressionTest:
    """Return a test that tells whether a storage matches.

    Raises
    ------
    InvalidInput
        When the expression is malformed.
    """
    tokens = list(_tokens(expression))
    test, position = _term(expression, tokens, 0)
    if position != len(tokens):
        raise _malformed(expression, f"{tokens[position]!r} is not expected")
    return test


def _tokens(expression: str) -> Iterator[str]:
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise _malformed(expression, f"{expression[position]!r} is not understood")
        yield match.group()
        position = match.end()


def _term(expression: str, tokens: list[str], position: int) -> tuple[ExpressionTest, int]:
    left, position = _primitive(expression, tokens, position)
    while position < len(tokens) and tokens[position] in _SETS:
        combine = _SETS[tokens[position]]
        right, position = _primitive(expression, tokens, position + 1)
        left = _joined(combine, left, right)
    return left, position


def _joined(
    combine: Callable[[bool, bool], bool], left: ExpressionTest, right: ExpressionTest
) -> ExpressionTest:
    return lambda element: combine(left(element), right(element))


def _primitive(expression: str, tokens: list[str], position: int) -> tuple[ExpressionTest, int]:
    word = tokens[position] if position < len(tokens) else ""
    if word == "(":
        inner, position = _term(expression, tokens, position + 1)
        if position >= len(tokens) or tokens[position] != ")":
            raise _malformed(expression, "a parenthesis is not closed")
        return inner, position + 1
    if not word or word in _SETS or word == ")":
        raise _malformed(expression, f"a storage or an attribute is expected, not {word or 'the end'!r}")
    return _condition(word), position + 1


def _condition(word: str) -> ExpressionTest:
    if word == "*":
        return lambda _element: True
    match = _CONDITION.fullmatch(word)
    if match is None:
        # Rucio gives every storage an attribute with its own name.
        return lambda element: element.rse == word or element.attributes.get(word) == "True"
    key, sign, wanted = match.groups()
    if sign == "=":
        return lambda element: _attribute(element, key) == wanted
    return lambda element: _is_ordered(_attribute(element, key), _ORDERINGS[sign], wanted)


def _attribute(element: StorageElement, key: str) -> str | None:
    if key == "rse":
        return element.rse
    return element.attributes.get(key)


def _is_ordered(value: str | None, ordering: Callable[[float, float], bool], wanted: str) -> bool:
    try:
        return value is not None and ordering(float(value), float(wanted))
    except ValueError:
        return False


def _malformed(expression: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"the RSE expression {expression!r} is not understood: {why}",
        code="rse-expression-invalid",
        next_step="write storages or attributes joined by | & \\, without spaces, e.g. OFFSITE=True",
        expression=expression,
    )
