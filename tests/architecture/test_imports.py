"""What import-linter cannot see: dynamic imports, and the plainness of the domain."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "dpps"
RIM = {"adapters", "services", "ops", "composition", "cli", "testing"}


def _modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (SOURCES / room).rglob("*.py"))


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", _modules("domain"), ids=lambda path: str(path.relative_to(SOURCES)))
def test_the_domain_uses_the_standard_library_only(path: Path) -> None:
    foreign = {
        name
        for name in _imported(ast.parse(path.read_text()))
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("dpps.domain")
    }
    assert not foreign


@pytest.mark.parametrize(
    "path",
    _modules("domain", "products", "data", "workload"),
    ids=lambda path: str(path.relative_to(SOURCES)),
)
def test_the_middle_imports_nothing_dynamically(path: Path) -> None:
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    }
    assert not calls & {"import_module", "importlib.import_module", "__import__"}


def test_every_room_is_known() -> None:
    rooms = {path.name for path in SOURCES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == RIM | {"domain", "products", "data", "workload"}
