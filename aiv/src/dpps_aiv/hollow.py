"""Hollow tests: tests that claim to verify something and check nothing.

A test counts as checking when its body, or a function of the project that it
calls by name or as a method of its class, holds one of

- an `assert` whose condition is not a constant,
- `pytest.raises`, `pytest.warns`, `pytest.deprecated_call` or `pytest.fail`,
- a call to something named `assert*`, `check*` or `verify*` (a leading
  underscore aside), or to one of pytest's own line matchers,
- `raise AssertionError`.

Where the source cannot be read, or lies outside the project, no verdict is
given: the rule exists to find hollow tests, not to refuse tests it cannot see.
"""

import ast
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, MethodType

_CHECKING_NAMES = frozenset(
    {
        "deprecated_call",
        "fail",
        "fnmatch_lines",
        "fnmatch_lines_random",
        "no_fnmatch_line",
        "no_re_match_line",
        "raises",
        "re_match_lines",
        "re_match_lines_random",
        "warns",
    }
)
_CHECKING_PREFIXES = ("assert", "check", "verify")

type _Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_hollow(function: object, project: Path, owner: type | None = None) -> bool:
    """Tell whether a test function checks nothing.

    Parameters
    ----------
    function
        The function that pytest runs; decorators that keep `__wrapped__`, and
        those of hypothesis, are looked through.
    project
        Root of the project: functions defined elsewhere are not judged.
    owner
        The class of the test, if it has one: where `self.helper()` is looked up.
    """
    return _Search(project, owner).checks(function) is False


class _Search:
    """Looks for a check in a function and in what it calls, each function once."""

    def __init__(self, project: Path, owner: type | None) -> None:
        self._project = project
        self._owner = owner
        self._seen: set[tuple[str, int]] = set()

    def checks(self, function: object) -> bool | None:
        """Tell whether a function checks something; `None` if it cannot be seen."""
        function = _unwrapped(function)
        if not isinstance(function, FunctionType) or not self._is_ours(function.__code__.co_filename):
            return None
        code = function.__code__
        own = next((node for node in _functions_of(code.co_filename) if _is_defined_by(node, code)), None)
        return None if own is None else self._body_checks(own, code.co_filename, function.__globals__)

    def _is_ours(self, filename: str) -> bool:
        # Environments often lie inside of the project.
        return Path(filename).is_relative_to(self._project) and "site-packages" not in Path(filename).parts

    def _body_checks(self, function: _Function, filename: str, names: Mapping[str, object]) -> bool:
        if (filename, function.lineno) in self._seen:
            return False
        self._seen.add((filename, function.lineno))
        nodes = [node for statement in function.body for node in ast.walk(statement)]
        if any(map(_is_check, nodes)):
            return True
        called = [node.func for node in nodes if isinstance(node, ast.Call)]
        local = {_name_of(expression) for expression in called}
        return any(
            self._body_checks(helper, filename, names)
            for helper in _functions_of(filename)
            if helper.name in local
        ) or any(self.checks(self._resolve(expression, names)) for expression in called)

    def _resolve(self, expression: ast.expr, names: Mapping[str, object]) -> object:
        """Find what a call refers to: a name of the module, or a method of the test's class."""
        match expression:
            case ast.Name(id=name):
                return names.get(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                return getattr(self._owner, name, None)
        return None


def _unwrapped(function: object) -> object:
    while (inner := _wrapped_by(function)) is not None:
        function = inner
    return function


def _wrapped_by(function: object) -> object | None:
    if isinstance(function, MethodType):
        return function.__func__
    # Functions only: mocks and lazy objects answer to any attribute, without end.
    if not isinstance(function, FunctionType):
        return None
    inner_of_hypothesis = getattr(getattr(function, "hypothesis", None), "inner_test", None)
    return inner_of_hypothesis or getattr(function, "__wrapped__", None)


@lru_cache(maxsize=256)
def _functions_of(filename: str) -> tuple[_Function, ...]:
    try:
        tree = ast.parse(Path(filename).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_defined_by(candidate: _Function, code: CodeType) -> bool:
    # The first line of a code object is that of its first decorator.
    first = min((node.lineno for node in candidate.decorator_list), default=candidate.lineno)
    return candidate.name == code.co_name and first == code.co_firstlineno


def _is_check(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=condition):
            # `assert True` holds whatever happens. (Of tuples Python itself warns.)
            return not isinstance(condition, ast.Constant)
        case ast.Raise(exc=raised) if raised is not None:
            return _name_of(raised.func if isinstance(raised, ast.Call) else raised) == "AssertionError"
        case ast.Call(func=called):
            name = _name_of(called)
            return name in _CHECKING_NAMES or name.lstrip("_").lower().startswith(_CHECKING_PREFIXES)
    return False


def _name_of(expression: ast.expr) -> str:
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
