"""Nights of many seeds: resumable steps, and the table of pulls."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from dpps_science.closure.__main__ import main
from dpps_science.closure.results import draw_pulls, pull_table, summarise, write_table
from dpps_science.closure.steps import Commands, do_once

from dpps.domain.steps import MissingInput, StepError


def _night(seed: int, pull: float) -> dict[str, Any]:
    parameters = [
        {"name": name, "fitted": truth + pull * 0.1, "error": 0.1, "injected": truth, "pull": pull}
        for name, truth in (("amplitude", 3.0), ("index", 2.5))
    ]
    return {
        "seed": seed,
        "parameters": parameters,
        "counts": {"excess": 100.0 + seed},
        "background_fraction": 0.001,
    }


def test_pulls_of_many_nights_are_summarised(tmp_path: Path) -> None:
    table = pull_table([_night(1, -1.0), _night(2, 0.0), _night(3, 1.6)])
    assert table["index_pull"].tolist() == [-1.0, 0.0, 1.6]
    assert table["index"].tolist() == pytest.approx([2.4, 2.5, 2.66])
    expected = f"mean +0.20, width {np.std([-1.0, 0.0, 1.6], ddof=1):.2f}"
    assert summarise(table) == f"3 nights; amplitude pulls: {expected}; index pulls: {expected}"
    write_table(table, tmp_path / "closure.ecsv")
    again = Table.read(tmp_path / "closure.ecsv", format="ascii.ecsv")
    assert again["seed"].tolist() == [1, 2, 3]
    assert again.meta["injected"] == {"amplitude": 3.0, "index": 2.5}
    draw_pulls(table, tmp_path / "closure.png")
    assert (tmp_path / "closure.png").read_bytes().startswith(b"\x89PNG")


def test_a_step_that_was_interrupted_is_done_again_and_one_that_is_done_is_not(tmp_path: Path) -> None:
    calls: list[str] = []

    def fails(folder: Path) -> None:
        calls.append("fails")
        (folder / "half").write_text("half")
        raise StepError("killed")

    def works(folder: Path) -> None:
        calls.append("works")
        assert list(folder.iterdir()) == []
        (folder / "whole").write_text("whole")

    with pytest.raises(StepError):
        do_once(tmp_path / "step", fails)
    assert not (tmp_path / "step").exists()
    for _ in range(2):
        assert (do_once(tmp_path / "step", works) / "whole").read_text() == "whole"
    assert calls == ["fails", "works"]


def test_a_program_that_fails_is_named_with_its_last_lines(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho what it does\necho no room\nexit 3\n")
    program.chmod(0o755)
    told: list[str] = []
    commands = Commands(programs=tmp_path, tell=told.append)
    with pytest.raises(StepError, match=r"broken now ended with 3: what it does \| no room"):
        commands.run("broken", "now", cwd=tmp_path)
    with pytest.raises(MissingInput, match="not installed"):
        commands.run("nowhere", cwd=tmp_path)
    assert told == ["broken now"]


def test_wrong_command_lines_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path), "--seeds", "0"]) == 101
    assert main(["--output", str(tmp_path), "--night", str(tmp_path / "a" / "b" / "c")]) == 105
    assert "night.yaml: it is not there" in capsys.readouterr().err
