import importlib.util
from pathlib import Path

import pytest
from dpps_aiv.hollow import is_hollow

HEAD = """
import contextlib, functools, unittest.mock
import pytest
from hypothesis import given, strategies as st

def decorated(function):
    @functools.wraps(function)
    def inner(*args):
        assert args is not None
        return function(*args)
    return inner

def helper_that_asserts(value):
    assert value

def helper_by_way_of_another(value):
    helper_that_asserts(value)

def helper_that_does_nothing(value):
    helper_that_does_nothing(value)

def outside():
    return 1

mock, mocked_call = unittest.mock.MagicMock(), unittest.mock.call

"""


def function_from(tmp_path: Path, body: str) -> object:
    path = tmp_path / "written.py"
    path.write_text(HEAD + body)
    spec = importlib.util.spec_from_file_location("written", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.test_it


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(): assert outside() == 1",
        "def test_it():\n    with pytest.raises(ValueError): outside()",
        "def test_it(): pytest.raises(ValueError, outside)",
        "def test_it():\n    with contextlib.suppress(OSError), pytest.warns(UserWarning): outside()",
        "def test_it(mock=None): mock.assert_called_once_with(1)",
        "def test_it(suite=None): suite.check_copies(1)",
        "def test_it(suite=None): suite._verify_checksum(1)",
        "def test_it(self=None): self.assertEqual(1, 1)",
        "def test_it(): helper_that_asserts(outside())",
        "def test_it(): helper_by_way_of_another(outside())",
        "def test_it():\n    if outside() != 1: pytest.fail('no')",
        "def test_it():\n    if outside() != 1: raise AssertionError",
        "def test_it():\n    if outside() != 1: raise AssertionError('no')",
        "def test_it(result=None): result.stdout.fnmatch_lines(['x'])",
        "async def test_it(): assert outside()",
        "@decorated\ndef test_it(): assert outside()",
        "@given(st.integers())\ndef test_it(number): assert number == number",
        "@given(st.integers())\n@decorated\ndef test_it(number): assert number == number",
    ],
)
def test_checking_tests_are_accepted(tmp_path: Path, body: str) -> None:
    assert not is_hollow(function_from(tmp_path, body), tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(): pass",
        "def test_it(): '''It is shown that all is well.'''",
        "def test_it(): outside()",
        "def test_it(): assert True",
        "def test_it(): print('assert')",
        "def test_it(): helper_that_does_nothing(1)",
        "def test_it(): mock(1), mocked_call(1), len([]), undefined_name",
        "def test_it():\n    try: outside()\n    except ValueError: raise RuntimeError",
        "@decorated\ndef test_it(): outside()",
        "@given(st.integers())\ndef test_it(number): outside()",
    ],
)
def test_hollow_tests_are_found(tmp_path: Path, body: str) -> None:
    assert is_hollow(function_from(tmp_path, body), tmp_path)


def test_no_verdict_on_what_cannot_be_seen(tmp_path: Path) -> None:
    function = function_from(tmp_path, "def test_it(): pass")
    assert not is_hollow(function, tmp_path / "another-project")
    (tmp_path / "generated").mkdir()
    namespace: dict[str, object] = {}
    exec(compile("def test_it(): pass", str(tmp_path / "generated" / "gone.py"), "exec"), namespace)  # noqa: S102
    assert not is_hollow(namespace["test_it"], tmp_path)
    assert not is_hollow(len, tmp_path)
