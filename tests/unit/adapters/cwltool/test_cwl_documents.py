"""CWL documents on a machine that has no node of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.adapters.cwltool.documents import CwltoolProcesses

SCRIPTED = """\
cwlVersion: v1.2
class: CommandLineTool
requirements:
  InlineJavascriptRequirement: {}
baseCommand: echo
inputs:
  name: {type: string, inputBinding: {valueFrom: "${ return inputs.name + '!'; }"}}
outputs: {}
"""


def test_expressions_are_checked_with_the_node_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    path = tmp_path / "scripted.cwl"
    path.write_text(SCRIPTED)
    processes = CwltoolProcesses()
    described = processes.describe(processes.pack(path))
    assert set(described.inputs) == {"name"}
