"""The command line as a program meets it: commands in, JSON out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps.cli.main import run

if TYPE_CHECKING:
    import pytest

__all__ = ["Shell"]


class Shell:
    """Gives commands to ``dpps`` and reads their JSON.

    Parameters
    ----------
    state : Path
        State folder of the system.
    capture : pytest.CaptureFixture
        The test's ``capsys``.
    """

    def __init__(self, state: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._state = state
        self._capture = capture

    def __call__(self, *arguments: str, exit_code: int = 0) -> Any:
        """Give one command; fail unless it ends with the expected exit code."""
        self._capture.readouterr()
        found = run([*arguments, "--state", str(self._state), "--json"])
        shown = self._capture.readouterr()
        assert found == exit_code, shown.err
        return json.loads(shown.out or shown.err)
