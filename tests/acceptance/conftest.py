"""What the acceptance tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dpps.testing.command_line import Shell

if TYPE_CHECKING:
    from tests.conftest import RunningSystem


@pytest.fixture
def dpps(running_system: RunningSystem, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line on the running system."""
    return Shell(running_system.folder.root, capsys)
