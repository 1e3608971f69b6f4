"""The demo's simulated night: programs that it calls, what it keeps of them, what the page says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dpps.cli.demo import demo
from dpps.domain.errors import DppsError, Unavailable
from dpps.ops.demo.night import observe_night
from dpps.ops.demo.page import render_page
from dpps.ops.demo.programs import run_program, watch_program
from dpps.ops.demo.record import DemoRecord

BLOCK = 2_000_000_456


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs in place of those of the pipelines."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setattr("dpps.ops.demo.programs.pipelines_program", folder.joinpath)
    return folder


def _program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _observer(folder: Path, output: Path) -> None:
    """Put in place a program that writes a block of two files."""
    name = f"SUB002_OBSID{BLOCK:019d}_SUBARRAY.fits.fz"
    block = {
        "obs_id": BLOCK,
        "files": [str(output / "ctao" / name), str(output / "ctao" / "TEL001.fits.fz")],
        "notes": str(output / "observation" / "notes.yaml"),
        "truth": str(output / "truth" / "truth.ecsv"),
        "cuts": ["cosmic rays: 0.001 of the real flux"],
    }
    answer = folder / "answer.json"
    answer.write_text(json.dumps({"blocks": [block, block | {"obs_id": BLOCK + 1}]}))
    _program(
        folder,
        "dpps-simpipe",
        f"mkdir -p {output}/ctao; echo a > {output}/ctao/{name}; echo b > {output}/ctao/TEL001.fits.fz\n"
        'echo "2026-01-15 a library says something" >&2\n'
        f'echo "dpps-simpipe observe: block {BLOCK}: 1 of 2 slices" >&2\ncat {answer}',
    )


def test_a_night_is_raw_data_with_truth_and_notes_beside(programs: Path, tmp_path: Path) -> None:
    output = tmp_path / "night"
    _observer(programs, output)
    told: list[str] = []
    chosen, night = observe_night(output, told.append)
    assert told == [f"block {BLOCK}: 1 of 2 slices"]
    assert (chosen.kind, chosen.raw, chosen.root) == ("night", True, output)
    assert chosen.size_bytes > 0
    assert night.truth_of(chosen.files[0].name) == output / "truth" / "truth.ecsv"
    assert night.truth_of("SUB002_OBSID0000000000000000001_SUBARRAY.fits.fz") is None
    assert night.limits == ("cosmic rays: 0.001 of the real flux",)
    assert night.description.is_file()


def test_a_program_that_fails_or_is_missing_is_named(programs: Path) -> None:
    _program(programs, "broken", 'echo "first" >&2; echo "no room" >&2; exit 3')
    told: list[str] = []
    with pytest.raises(DppsError, match="drawing failed: no room"):
        run_program("broken", what="drawing")
    with pytest.raises(DppsError, match="simulating failed: no room"):
        watch_program("broken", what="simulating", tell=told.append)
    assert told == ["first", "no room"]
    with pytest.raises(Unavailable, match="nowhere is not installed"):
        run_program("nowhere", what="drawing")
    with pytest.raises(Unavailable, match="nowhere is not installed"):
        watch_program("nowhere", what="simulating", tell=told.append)


def test_the_page_shows_pulls_and_says_that_the_background_is_thinned() -> None:
    science = {
        "model": "power-law",
        "reference_tev": 1.0,
        "parameters": [
            {"name": "index", "fitted": 2.7, "error": 0.1, "injected": 2.62, "pull": 0.8},
        ],
        "energy_min_tev": 0.2,
        "energy_max_tev": 8.0,
        "significance": 12.3,
        "counts": {"on": 120, "off": 30, "alpha": 0.1},
        "live_seconds": 800.0,
        "background_fraction": 0.001,
    }
    page = render_page(DemoRecord(kind="night", source="night", science=science))
    assert "+0.80 σ" in page
    assert "thinned to 0.001" in page
    assert "3.0 expected of the background" in page
    assert "The spectrum" not in render_page(DemoRecord(kind="yours", source="files"))


def test_toy_events_and_own_files_exclude_each_other(tmp_path: Path) -> None:
    answer = CliRunner().invoke(demo, ["--toy", "--input", str(tmp_path)])
    assert answer.exit_code == 2
    assert "exclude each other" in answer.output
