"""Marks written in a test file that was never imported to its end.

A module that skips itself (`pytest.importorskip` at its head) has no tests that
could carry an id: without this its use cases would silently vanish from the
report, and its markers from the gate on missing parts.
"""

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMarks:
    """What the source of a test file says.

    Attributes
    ----------
    names
        Every marker that is mentioned as `pytest.mark.<name>` or `mark.<name>`.
    texts
        Marker name and text argument of every marker called with one constant text.
    """

    names: frozenset[str]
    texts: tuple[tuple[str, str], ...]


def read_source_marks(path: Path) -> SourceMarks:
    """Read the marks that a Python file mentions, without importing it.

    Raises
    ------
    SyntaxError
        If the file is not Python. pytest has then failed on it already.
    """
    tree = ast.parse(path.read_bytes())
    names = set()
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_mark(node.value):
            names.add(node.attr)
        match node:
            case ast.Call(func=ast.Attribute(value=mark, attr=name), args=[ast.Constant(value=str(text))]):
                if _is_mark(mark) and (name, text) not in texts:
                    texts.append((name, text))
    return SourceMarks(names=frozenset(names), texts=tuple(texts))


def _is_mark(expression: ast.expr) -> bool:
    match expression:
        case ast.Name(id="mark") | ast.Attribute(attr="mark"):
            return True
    return False
