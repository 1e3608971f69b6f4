"""Hollow tests: tests that claim to verify something and check nothing.

A test counts as checking when its body, or a function of the same file that it
calls, holds one of

- an `assert` whose condition is not a constant,
- `pytest.raises`, `pytest.warns`, `pytest.deprecated_call` or `pytest.fail`,
- a call to something named `assert*`, `check*` or `verify*` (a leading
  underscore aside), or to one of pytest's own line matchers,
- `raise AssertionError`.

Where the source cannot be read, or lies outside the project, no verdict is
given: the rule exists to find hollow tests, not to refuse tests it cannot see.
"""

import ast
from functools import lru_cache
from pathlib import Path
from types import CodeType

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


def is_hollow(function: object, project: Path) -> bool:
    """Tell whether a test function checks nothing.

    Parameters
    ----------
    function
        The function that pytest runs; decorators that keep `__wrapped__`, and
        those of hypothesis, are looked through.
    project
        Root of the project: functions defined elsewhere are not judged.
    """
    code = _code_of(function)
    if code is None or not Path(code.co_filename).is_relative_to(project):
        return False
    functions = _functions_of(code.co_filename)
    own = next((candidate for candidate in functions if _is_defined_by(candidate, code)), None)
    return own is not None and not _checks(own, functions, seen=set())


def _code_of(function: object) -> CodeType | None:
    while (inner := _wrapped_by(function)) is not None:
        function = inner
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _wrapped_by(function: object) -> object | None:
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


def _checks(function: _Function, functions: tuple[_Function, ...], seen: set[int]) -> bool:
    seen.add(function.lineno)
    called = set()
    for statement in function.body:
        for node in ast.walk(statement):
            if _is_check(node):
                return True
            if isinstance(node, ast.Call):
                called.add(_name_of(node.func))
    helpers = [helper for helper in functions if helper.name in called and helper.lineno not in seen]
    return any(_checks(helper, functions, seen) for helper in helpers)


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
