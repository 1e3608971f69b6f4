"""UC-100-2: CWL tools and workflows run as jobs; what is not valid is refused before it is submitted."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_simtel
from dpps.testing.small_workload import COPY

pytestmark = [pytest.mark.rucio, pytest.mark.parsl]

_WORKFLOW = """
cwlVersion: v1.2
class: Workflow
inputs: {source: File, copy_filename: string, line: string}
outputs:
  copy: {type: File, outputSource: second/copy}
steps:
  first:
    run: copy.cwl
    in: {source: source, copy_filename: {default: between.txt}, line: line}
    out: [copy]
  second:
    run: copy.cwl
    in: {source: first/copy, copy_filename: copy_filename, line: line}
    out: [copy]
"""


@pytest.fixture
def obs_id(dpps: Shell, tmp_path: Path) -> int:
    """The observation of a file of simulated events in the archive, which no other file has."""
    number = uuid.uuid4().int % 2_000_000_000
    handover = tmp_path / "handover"
    handover.mkdir()
    announce(make_simtel(handover / "run.simtel.zst", run=number))
    (taken,) = dpps("ingest", str(handover))
    assert taken["outcome"] == "ingested"
    return number


def write_production(folder: Path, document: str, obs_id: int, **extra: str) -> tuple[str, Path]:
    """Write a production of one step; return its name and its file."""
    name = f"uc-100-2-{uuid.uuid4().hex[:8]}"
    (folder / "copy.cwl").write_text(COPY)
    (folder / "flow.cwl").write_text(_WORKFLOW)
    more = "".join(f", {key}: {value}" for key, value in extra.items())
    path = folder / f"{name}.yaml"
    path.write_text(
        f"""
production: {name}
transformations:
  - name: copy
    cwl: {document}
    environment: core
    inputs: {{source: {{query: "instance__obs_id = {obs_id} and data__level = 'SIM'"}}}}
    parameters: {{line: added{more}}}
    outputs: {{copy: {{product: DL1/Event/Subarray/AirShowerSim, suffix: .dat}}}}
"""
    )
    return name, path


@pytest.mark.verifies_usecase("UC-100-2")
@pytest.mark.parametrize(("document", "lines"), [("copy.cwl", 1), ("flow.cwl", 2)])
def test_a_tool_and_a_workflow(dpps: Shell, tmp_path: Path, obs_id: int, document: str, lines: int) -> None:
    _, path = write_production(tmp_path, document, obs_id)
    status = dpps("production", "submit", str(path), "--wait")
    assert status["production"]["state"] == "done"
    (product,) = status["products"]
    dpps("data", "get", product, "--output", str(tmp_path / "got"))
    (got,) = [found for found in (tmp_path / "got").rglob("*.dat")]
    assert got.read_bytes().count(b"added\n") == lines


@pytest.mark.verifies_usecase("UC-100-2")
def test_a_failure_is_explained(dpps: Shell, tmp_path: Path, obs_id: int) -> None:
    name, path = write_production(tmp_path, "copy.cwl", obs_id, exit_code="9")
    status = dpps("production", "submit", str(path), "--wait", exit_code=1)
    assert status["production"]["state"] == "failed"
    (failure,) = status["transformations"][0]["failed"]
    assert (failure["exit_code"], failure["attempts"]) == (9, 3)
    assert any("copying" in line for line in failure["log_tail"])
    assert failure["next_step"]
    history = dpps("production", "explain", name)
    assert history[-1]["change"] == "active → failed"


@pytest.mark.verifies_usecase("UC-100-2")
def test_an_invalid_document_is_refused(dpps: Shell, tmp_path: Path, obs_id: int) -> None:
    name, path = write_production(tmp_path, "copy.cwl", obs_id)
    (tmp_path / "copy.cwl").write_text("cwlVersion: v1.2\nclass: CommandLineTool\ninputs: 5\n")
    refused = dpps("production", "submit", str(path), exit_code=2)
    assert refused["error"]["code"] == "cwl-invalid"
    assert "copy.cwl" in refused["error"]["message"]
    missing = dpps("production", "status", name, exit_code=3)
    assert missing["error"]["code"] == "not-found"
