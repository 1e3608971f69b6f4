from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

type WriteRequirements = Callable[..., Path]


def entry(identifier: str, **changes: object) -> dict[str, object]:
    """Give a valid entry of a file of requirements, with changes."""
    return {
        "id": identifier,
        "kind": "use case" if "UC-" in identifier else "requirement",
        "title": f"Title of {identifier}",
        "text": "What must be possible.",
        "verification": "test",
        "release": "0.1.0",
        **changes,
    }


@pytest.fixture
def entries() -> Callable[..., dict[str, object]]:
    return entry


@pytest.fixture
def write_requirements(tmp_path: Path) -> WriteRequirements:
    """Write files of requirements: subsystem → entries."""

    def write(
        files: Mapping[str, list[dict[str, object]]], directory: Path = tmp_path / "requirements"
    ) -> Path:
        directory.mkdir(exist_ok=True)
        for subsystem, listed in files.items():
            text = yaml.safe_dump({"subsystem": subsystem, "requirements": listed})
            (directory / f"{subsystem}.yaml").write_text(text)
        return directory

    return write


@pytest.fixture(autouse=True)
def _outside_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest print the same wherever these tests run: in CI it would not shorten its summary."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
