"""UC-150-2.1, 2.1.1, 2.3: values of the instrument model are set, imported from outside, and documented."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).parents[2]
_PYTHON = Path(sys.prefix).parent / ".envs/pipelines/bin/python"
_EXAMPLE = _REPOSITORY / "pipelines/simpipe/tests/instrument/example_parameters"

pytestmark = pytest.mark.pipelines


#: Several commands in one process: most of the time of each would be the loading of libraries.
_COMMANDS = """
import contextlib, io, json, sys
from dpps_simpipe.command import main
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as told:
        code = main([*words, "--json"])
    print(json.dumps({"code": code, "told": json.loads(told.getvalue())}))
"""


def _simpipe(*commands: tuple[str, ...], last_code: int = 0) -> list[dict[str, Any]]:
    """Run commands of SimPipe, which all succeed but perhaps the last one; give their JSON."""
    done = subprocess.run(
        [_PYTHON, "-c", _COMMANDS, json.dumps(commands)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["code"] for one in results] == [0] * (len(commands) - 1) + [last_code], done.stderr
    return [one["told"] for one in results]


class _Pages(HTMLParser):
    """Collects the rows of tables and the figures of a page."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self.rows: list[list[str]] = []
        self.figures: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row or a cell, note a figure."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "img":
            self.figures.append(str(dict(attrs)["src"]))

    def handle_data(self, data: str) -> None:
        """Add text to the last cell."""
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.mark.verifies_usecase("UC-150-2.1")
def test_a_value_is_set_and_the_next_run_takes_it(tmp_path: Path) -> None:
    new, run = str(tmp_path / "new"), tmp_path / "run.yaml"
    submit = ("model", "submit", "--instrument", "LSTN-design", "--parameter", "mirror_area")
    told = ("--version", "2.0.0", "--source", "survey of the dish", "--output", new)
    description = {
        "dpps_simulation": 1,
        "run": 1,
        "seed": 1,
        "primary": "gamma",
        "showers": 1,
        "model": "new",
    }
    run.write_text(json.dumps({**description, "energy_min_tev": 1.0, "energy_max_tev": 1.0}))
    made, checked, refused = _simpipe(
        (*submit, "--value", "4000000", "--unit", "cm2", *told),
        ("simulate", str(run), "--output", str(tmp_path / "x.h5"), "--dry-run"),
        (*submit, "--value", "1", "--unit", "m2", *told),
        last_code=101,
    )
    assert made["changed"] == ["LSTN-design/mirror_area: 386.969 -> 400.0"]
    assert made["converted"] == ["LSTN-design/mirror_area: 4e+06 cm2 is 400 m2"]
    assert checked["instrument_model"] == f"2.0.0 ({made['sha256'][:12]})"
    # A version is never changed.
    assert refused["code"] == "simpipe.model-exists"


@pytest.mark.verifies_usecase("UC-150-2.1.1")
def test_values_from_outside_are_imported_with_their_source(tmp_path: Path) -> None:
    new = str(tmp_path / "new")
    made, shown = _simpipe(
        (
            "model",
            "import",
            str(_EXAMPLE),
            "--version",
            "2.0.0",
            "--source",
            "example files",
            "--output",
            new,
        ),
        ("model", "show", "--model", new, "--instrument", "LSTN-design"),
    )
    assert made["converted"] == ["LSTN-design/focal_length: 28.01 m is 2801 cm"]
    assert made["unknown"] == ["LSTN-design/colour_of_the_paint"]
    assert made["unused"] == ["LSTN-design/asum_threshold"]
    values = {one["parameter"]: one for one in shown["values"]}
    assert (values["focal_length"]["value"], values["focal_length"]["unit"]) == (2801.0, "cm")
    assert (values["nsb_pixel_rate"]["value"], values["nsb_pixel_rate"]["source"]) == (0.25, "example files")
    assert values["mirror_area"]["source"] != "example files"
    table = tmp_path / "new/files/LSTN-design" / values["quantum_efficiency"]["value"]
    outside = _EXAMPLE / "LSTN-design/quantum_efficiency/quantum_efficiency-2.0.0.ecsv"
    assert table.read_bytes() == outside.read_bytes()


@pytest.mark.verifies_usecase("UC-150-2.3")
def test_report_tells_values_sources_and_figures(tmp_path: Path) -> None:
    shown, _ = _simpipe(("model", "show"), ("model", "report", "--output", str(tmp_path / "pages")))
    page = _Pages()
    page.feed((tmp_path / "pages/index.html").read_text())
    rows = {(row[0], row[1]): row for row in page.rows}
    assert ("SHA-256", shown["sha256"]) in rows
    designs = [
        one for one in shown["values"] if one["instrument"].endswith(("design", "Cam", "North", "South"))
    ]
    assert len(designs) > 100
    for one in designs:
        found = [row for row in page.rows if row[0] == one["parameter"] and row[3] == one["source"]]
        assert found, one
    assert rows["focal_length", "2800 cm"][2].startswith("Nominal overall focal length")
    assert rows["14", "MSTN-10"][2:] == ["MST-NectarCam", "20.20", "-352.85", "62.00"]
    # Layouts of four arrays, atmospheres of two sites; camera, efficiency and pulses of four designs.
    kinds = [name.split("-")[0] for name in page.figures]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "layout": 4, "atmosphere": 2, "camera": 4, "efficiency": 4, "pulses": 4,
    }  # fmt: skip
    for name in page.figures:
        assert (tmp_path / "pages" / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    markdown = (tmp_path / "pages/index.md").read_text()
    assert all(f"]({name})" in markdown for name in page.figures)
