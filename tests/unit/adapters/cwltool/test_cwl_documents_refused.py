"""Files that are no CWL documents at all: one clear error that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.domain.errors import InvalidInput

_NO_DOCUMENTS = {
    "empty": b"",
    "no text": b"x: \xe3\x00",
    "a list": b"- 1\n- 2\n",
    "a word": b"CommandLineTool\n",
    "no class": b"cwlVersion: v1.2\n",
}


@pytest.mark.parametrize("content", _NO_DOCUMENTS.values(), ids=_NO_DOCUMENTS)
def test_what_is_no_document_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.cwl"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=str(path)) as refused:
        CwltoolProcesses().pack(path)
    assert refused.value.next_step


@pytest.mark.parametrize("content", _NO_DOCUMENTS.values(), ids=_NO_DOCUMENTS)
def test_a_workflow_of_no_documents_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.cwl").write_bytes(content)
    step = {"run": "bad.cwl", "in": {}, "out": []}
    path = tmp_path / "workflow.cwl"
    workflow = {"cwlVersion": "v1.2", "class": "Workflow", "inputs": {}, "outputs": {}, "steps": {"a": step}}
    path.write_text(json.dumps(workflow))
    with pytest.raises(InvalidInput, match=str(path)):
        CwltoolProcesses().pack(path)
