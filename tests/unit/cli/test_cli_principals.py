"""Roles are asked for by the commands that concern the system as a whole, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpps.cli.main import run
from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder

_NOT_AUTHORIZED = 5


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    Instance().save(folder)
    folder.config.mkdir()
    (folder.config / "principals.yaml").write_text("ada: [reader]\nada-audits: [auditor]\n")
    return folder


@pytest.mark.parametrize("command", ["up", "down", "status", "logs"])
@pytest.mark.parametrize("name", ["ada", "stranger"])
def test_who_lacks_the_role_is_refused(
    folder: StateFolder,
    command: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DPPS_PRINCIPAL", name)
    assert run([command, "--json", "--state", str(folder.root)]) == _NOT_AUTHORIZED
    assert name in json.loads(capsys.readouterr().err)["error"]["message"]
    assert not folder.run.exists()


def test_an_auditor_sees_the_state_of_the_system(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DPPS_PRINCIPAL", "ada-audits")
    assert run(["status", "--json", "--state", str(folder.root)]) != _NOT_AUTHORIZED
