"""UC-150-2.1, 2.1.1, 2.3: values of the instrument model are set, imported from outside, and documented."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
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
    told, refused = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(refused):
        code = main([*words, "--json"])
    print(json.dumps({"code": code, "told": json.loads((refused if code else told).getvalue())}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the commands answered, in their order."""

    submitted: dict[str, Any]
    dry_run: dict[str, Any]
    refused: dict[str, Any]
    imported: dict[str, Any]
    shown_new: dict[str, Any]
    shown: dict[str, Any]
    #: Where the new version is, and the pages of the package's own.
    new: Path
    pages: Path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Set a value, try it, try to change it; import files; report."""
    folder = tmp_path_factory.mktemp("model")
    new, outside, pages, run = (folder / name for name in ("new", "outside", "pages", "run.yaml"))
    description = {
        "dpps_simulation": 1,
        "run": 1,
        "seed": 1,
        "primary": "gamma",
        "showers": 1,
        "model": "new",
    }
    run.write_text(json.dumps({**description, "energy_min_tev": 1.0, "energy_max_tev": 1.0}))
    submit = ("model", "submit", "--instrument", "LSTN-design", "--parameter", "mirror_area")
    survey = ("--version", "2.0.0", "--source", "survey of the dish", "--output", str(new))
    example = ("--version", "2.0.0", "--source", "example files", "--output", str(outside))
    commands = (
        (*submit, "--value", "4000000", "--unit", "cm2", *survey),
        ("simulate", str(run), "--output", str(folder / "x.h5"), "--dry-run"),
        (*submit, "--value", "1", "--unit", "m2", *survey),
        ("model", "import", str(_EXAMPLE), *example),
        ("model", "show", "--model", str(outside), "--instrument", "LSTN-design"),
        ("model", "show"),
        ("model", "report", "--output", str(pages)),
    )
    done = subprocess.run(
        [_PYTHON, "-c", _COMMANDS, json.dumps(commands)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["code"] for one in results] == [0, 0, 101, 0, 0, 0, 0], done.stderr
    submitted, dry_run, refused, imported, shown_new, shown, _ = (one["told"] for one in results)
    return Told(
        submitted=submitted,
        dry_run=dry_run,
        refused=refused,
        imported=imported,
        shown_new=shown_new,
        shown=shown,
        new=outside,
        pages=pages,
    )


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
def test_a_value_is_set_and_the_next_run_takes_it(told: Told) -> None:
    made = told.submitted
    assert made["changed"] == ["LSTN-design/mirror_area: 386.969 -> 400.0"]
    assert made["converted"] == ["LSTN-design/mirror_area: 4e+06 cm2 is 400 m2"]
    assert told.dry_run["instrument_model"] == f"2.0.0 ({made['sha256'][:12]})"
    # A version is never changed.
    assert told.refused["code"] == "simpipe.model-exists"


@pytest.mark.verifies_usecase("UC-150-2.1.1")
def test_values_from_outside_are_imported_with_their_source(told: Told) -> None:
    made = told.imported
    assert made["converted"] == ["LSTN-design/focal_length: 28.01 m is 2801 cm"]
    assert made["unknown"] == ["LSTN-design/colour_of_the_paint"]
    assert made["unused"] == ["LSTN-design/asum_threshold"]
    values = {one["parameter"]: one for one in told.shown_new["values"]}
    assert (values["focal_length"]["value"], values["focal_length"]["unit"]) == (2801.0, "cm")
    assert (values["nsb_pixel_rate"]["value"], values["nsb_pixel_rate"]["source"]) == (0.25, "example files")
    assert values["mirror_area"]["source"] != "example files"
    table = told.new / "files/LSTN-design" / values["quantum_efficiency"]["value"]
    outside = _EXAMPLE / "LSTN-design/quantum_efficiency/quantum_efficiency-2.0.0.ecsv"
    assert table.read_bytes() == outside.read_bytes()


@pytest.mark.verifies_usecase("UC-150-2.3")
def test_report_tells_values_sources_and_figures(told: Told) -> None:
    page = _Pages()
    page.feed((told.pages / "index.html").read_text())
    rows = {(row[0], row[1]): row for row in page.rows}
    assert ("SHA-256", told.shown["sha256"]) in rows
    designs = [
        one for one in told.shown["values"] if one["instrument"].endswith(("design", "Cam", "North", "South"))
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
        assert (told.pages / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    markdown = (told.pages / "index.md").read_text()
    assert all(f"]({name})" in markdown for name in page.figures)
