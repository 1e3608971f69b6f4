"""Executing CWL: limits, exit codes, expressions, environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.adapters.cwltool.runner import CwltoolRunner
from dpps.domain.work import ExitReason
from dpps.testing.small_workload import COPY
from dpps.workload.ports import ProcessOrder, ProcessOutcome

TOOL = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [{program}]
arguments: [-c, {{valueFrom: {code!r}}}]
inputs: []
outputs: {{out: {{type: File, outputBinding: {{glob: out.txt}}}}}}
"""


def run(
    folder: Path, code: str, *, program: str = "sh", folders: tuple[Path, ...] = (), **limits: Any
) -> ProcessOutcome:
    (folder / "tool.cwl").write_text(TOOL.format(program=program, code=code))
    (folder / "sandbox").mkdir()
    return CwltoolRunner().run(
        ProcessOrder(
            process=CwltoolProcesses().pack(folder / "tool.cwl"),
            values={},
            outputs=("out",),
            sandbox=folder / "sandbox",
            program_folders=folders,
            **{"memory_bytes": 2_000_000_000, "wall_seconds": 60.0, **limits},
        )
    )


def test_success(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo told; echo done > out.txt")
    assert outcome.exit_reason is ExitReason.FINISHED
    assert outcome.outputs["out"].read_text() == "done\n"
    assert "told" in outcome.log.read_text()
    assert outcome.wall_seconds > 0
    assert "cwltool" in outcome.software


def test_an_exit_code_is_reported(tmp_path: Path) -> None:
    outcome = run(tmp_path, "echo why >&2; exit 100")
    assert (outcome.exit_reason, outcome.exit_code) == (ExitReason.FAILED, 100)
    assert "exit code 100" in outcome.detail
    assert "why" in outcome.log.read_text()


def test_a_missing_output_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, "true").exit_reason is ExitReason.FAILED


def test_a_missing_program_is_a_failure(tmp_path: Path) -> None:
    outcome = run(tmp_path, "true", program="no-such-program")
    assert outcome.exit_reason is ExitReason.FAILED
    assert "no-such-program" in outcome.detail + outcome.log.read_text()


def test_too_long(tmp_path: Path) -> None:
    outcome = run(tmp_path, "sleep 300", wall_seconds=0.5)
    assert outcome.exit_reason is ExitReason.MAXJOBDURATION
    assert "wall_seconds" in outcome.detail


def test_too_much_memory(tmp_path: Path) -> None:
    code = "import time; kept = bytearray(300_000_000); time.sleep(300)"
    outcome = run(tmp_path, code, program="python3", memory_bytes=150_000_000)
    assert outcome.exit_reason is ExitReason.MEMLIMIT
    assert outcome.peak_memory_bytes > 150_000_000


def test_an_environment_comes_before_the_path(tmp_path: Path) -> None:
    programs = tmp_path / "environment" / "bin"
    programs.mkdir(parents=True)
    (programs / "greet").write_text("#!/bin/sh\necho from the environment > out.txt\n")
    (programs / "greet").chmod(0o755)
    before = os.environ["PATH"]
    outcome = run(tmp_path, "x", program="greet", folders=(programs,))
    assert outcome.outputs["out"].read_text() == "from the environment\n"
    assert os.environ["PATH"] == before


def test_nothing_is_left_running(tmp_path: Path) -> None:
    run(tmp_path, "echo done > out.txt")
    assert psutil.Process().children(recursive=True) == []


@pytest.mark.parametrize("name", ["process_dl0_dl1.cwl", "process_dl1_dl2.cwl"])
def test_the_published_documents_can_be_described(name: str) -> None:
    processes = CwltoolProcesses()
    path = Path(__file__).parents[3] / "workflows" / "tools" / name
    description = processes.describe(processes.pack(path))
    output = name.removesuffix(".cwl").rsplit("_", 1)[1]
    assert "File" in description.outputs[output].types
    assert description.inputs[f"{output}_filename"].is_required
    assert not description.inputs["processing_config"].is_required


def test_a_workflow_of_several_programs(tmp_path: Path) -> None:
    (tmp_path / "copy.cwl").write_text(COPY)
    (tmp_path / "flow.cwl").write_text(
        """
cwlVersion: v1.2
class: Workflow
inputs: {source: File}
outputs: {copy: {type: File, outputSource: second/copy}}
steps:
  first:
    run: copy.cwl
    in: {source: source, copy_filename: {default: one.txt}, line: {default: one}}
    out: [copy]
  second:
    run: copy.cwl
    in: {source: first/copy, copy_filename: {default: two.txt}, line: {default: two}}
    out: [copy]
"""
    )
    (tmp_path / "in.txt").write_text("start\n")
    (tmp_path / "sandbox").mkdir()
    outcome = CwltoolRunner().run(
        ProcessOrder(
            process=CwltoolProcesses().pack(tmp_path / "flow.cwl"),
            values={"source": {"class": "File", "path": str(tmp_path / "in.txt")}},
            outputs=("copy",),
            sandbox=tmp_path / "sandbox",
            program_folders=(),
            memory_bytes=2_000_000_000,
            wall_seconds=60.0,
        )
    )
    assert outcome.exit_reason is ExitReason.FINISHED, outcome.log.read_text()
    assert outcome.outputs["copy"].read_text() == "start\none\ntwo\n"
    assert outcome.log.read_text().count("copying\n") == 2
