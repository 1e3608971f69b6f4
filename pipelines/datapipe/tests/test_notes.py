"""Notes about an observation that cannot be read."""

from pathlib import Path

import pytest
from dpps_datapipe.dl3.notes import read_notes

from dpps.domain.steps import ConfigurationError


@pytest.mark.parametrize(
    "text",
    [
        "start: 2026-02-30T00:00:00Z",
        "start: !!timestamp now",
        "quality: " + "9" * 5000,
        "pauses: " + "[" * 700,
        "pauses: [",
    ],
)
def test_notes_that_are_no_yaml_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no YAML") as refusal:
        read_notes(path)
    assert str(path) in str(refusal.value)
