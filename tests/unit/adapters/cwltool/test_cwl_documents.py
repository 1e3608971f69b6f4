"""CWL documents on a machine that has no node of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dpps.adapters.cwltool import documents
from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.domain.errors import InvalidInput

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


def scripted(folder: Path, script: str, *, more: str = "") -> Path:
    path = folder / "scripted.cwl"
    path.write_text(SCRIPTED.replace("${ return inputs.name + '!'; }", script) + more)
    return path


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("${ return inputs.name +; }", r"SyntaxError: .* in the script \{ return inputs\.name \+; \}"),
        ("$(inputs.name + )", "SyntaxError"),
        ("$(inputs.name", "Substitution error"),
    ],
)
def test_a_script_that_cannot_be_parsed_is_refused(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        CwltoolProcesses().pack(scripted(tmp_path, script))
    assert str(tmp_path / "scripted.cwl") in refused.value.message


def test_what_is_not_evaluated_is_not_parsed(tmp_path: Path) -> None:
    path = scripted(tmp_path, "$(inputs.name?.length ?? 'of today')", more='doc: "costs $(5 and"\n')
    assert CwltoolProcesses().pack(path)["doc"] == "costs $(5 and"


def test_scripts_are_parsed_once_for_all_documents_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(documents, "check_scripts", asked.append)
    processes = CwltoolProcesses()
    library = "function twice(x) { return 2 * x; }"
    path = scripted(tmp_path, "$(twice(inputs.name.length))$(inputs.name)${ return 1; }")
    needs = "InlineJavascriptRequirement: {}"
    path.write_text(path.read_text().replace(needs, needs.replace("{}", f"{{expressionLib: ['{library}']}}")))
    processes.pack(path)
    processes.pack(path)
    processes.pack(scripted(tmp_path, "${ return 1; }"))
    processes.pack(scripted(tmp_path, "${ return 2; }"))
    first, second = asked
    assert library in first
    assert [sum(script in one for one in first) for script in ("twice(inputs", "{ return 1; }")] == [1, 1]
    assert len(first) == 3
    assert second == ['"use strict";\n\n(function(){ return 2; })()']


def test_without_node_a_document_with_scripts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with pytest.raises(InvalidInput, match="its scripts need node"):
        CwltoolProcesses().pack(scripted(tmp_path, "$(inputs.name + 1)"))
    assert CwltoolProcesses().pack(scripted(tmp_path, "$(inputs.name)"))["class"] == "CommandLineTool"
