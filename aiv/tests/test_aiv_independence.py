"""The judge stands apart: nothing of what it judges is imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "dpps_aiv"


def imported_packages(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def test_nothing_of_dpps_is_imported() -> None:
    imported = {package for path in SOURCE.rglob("*.py") for package in imported_packages(path)}
    assert {"pydantic", "pytest", "dpps_aiv"} <= imported, "the imports were really read"
    assert not {"dpps", "dpps_simpipe", "dpps_datapipe"} & imported
