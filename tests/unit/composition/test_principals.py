"""The list of principals: what cannot be read is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.composition.principals import local_principal
from dpps.composition.state import StateFolder
from dpps.domain.errors import InvalidInput


@pytest.mark.parametrize("text", [None, "ada: [king]", "ada: 5", "[", "- ada"])
def test_a_list_that_cannot_be_used_is_named(
    tmp_path: Path, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DPPS_PRINCIPAL", "ada")
    folder = StateFolder(tmp_path)
    path = folder.config / "principals.yaml"
    if text is None:
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_text(text)
    with pytest.raises(InvalidInput, match=str(path)):
        local_principal(folder)
