import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dpps_aiv.cli import main
from dpps_aiv.junit import read_reports
from dpps_aiv.matrix import build_matrix
from dpps_aiv.matrix_text import print_table
from dpps_aiv.requirements import load_requirements
from rich.console import Console

Entries = Callable[..., dict[str, object]]
Write = Callable[..., Path]

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_offsite">
  <properties><property name="usecase_id" value="UC-110-1.6"/>
  <property name="steps" value='[{"kind": "step", "text": "replicate &lt;it&gt;"}]'/></properties>
</testcase>
<testcase classname="tests.test_a" name="test_query[&lt;script&gt;]">
  <properties><property name="requirement_id" value="C-BDMS-0210"/></properties>
  <skipped type="pytest.skip" message="no [bold]server[/bold]"/>
</testcase>
<testcase classname="tests.test_a" name="test_other"/>
</testsuite></testsuites>"""


@pytest.fixture
def directory(write_requirements: Write, entries: Entries) -> Path:
    return write_requirements(
        {
            "bdms": [entries("UC-110-1.6"), entries("C-BDMS-0210")],
            "wms": [entries("UC-100-2", title="Run <CWL>")],
        }
    )


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def matrix(directory: Path, report: Path, *arguments: str | Path) -> Result:
    return run("matrix", "--requirements", directory, "--junit", report, *arguments)


def test_check_counts_by_subsystem(directory: Path) -> None:
    result = run("check", "--requirements", directory)
    assert result.exit_code == 0
    assert "3 use cases and requirements are in order" in result.output
    assert "wms: 1" in result.output
    data = json.loads(run("check", "--requirements", directory, "--json").output)
    assert data == {"requirements": 3, "subsystems": {"bdms": 2, "wms": 1}}


def test_check_names_every_problem_and_the_next_step(directory: Path) -> None:
    (directory / "wms.yaml").write_text("subsystem: [")
    result = run("check", "--requirements", directory)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"error: {directory / 'wms.yaml'}: is not valid YAML" in result.stderr
    assert "Next step: mend the named file" in result.stderr


def test_schema_describes_the_files() -> None:
    document = json.loads(run("schema").output)
    assert set(document["properties"]) == {"subsystem", "requirements"}
    assert document["additionalProperties"] is False
    assert {"id", "kind", "verification"} <= set(document["$defs"]["Requirement"]["required"])


def test_piped_matrix_is_plain(directory: Path, report: Path) -> None:
    result = matrix(directory, report)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "C-BDMS-0210  not run  bdms  Title of C-BDMS-0210",
        "    skipped (no [bold]server[/bold])  tests.test_a::test_query[<script>]",
        "UC-100-2  uncovered  wms  Run <CWL>",
        "UC-110-1.6  verified  bdms  Title of UC-110-1.6",
        "    passed  tests.test_a::test_offsite",
        "3 requirements: 1 verified, 0 partly verified, 1 not run, 1 uncovered, 0 failed. "
        "Tests that claim none: 1.",
        "uncovered: UC-100-2  Run <CWL>",
    ]


def test_table_for_a_terminal(directory: Path, report: Path) -> None:
    screen = StringIO()
    console = Console(file=screen, width=120, force_terminal=False)
    print_table(build_matrix(load_requirements(directory), read_reports([report])), console)
    text = screen.getvalue()
    assert re.search(r"UC-110-1\.6\s+│ Title of UC-110-1\.6\s+│ verified\s+│ 1 passed", text)
    assert "C-BDMS-0210: skipped (no [bold]server[/bold])" in text
    assert "uncovered: UC-100-2" in text


def test_matrix_as_data(directory: Path, report: Path) -> None:
    data = json.loads(matrix(directory, report, "--json", "--ignore", "DPPS-UC-100-2").output)
    assert data["summary"] == {"verified": 1, "partly verified": 0, "not run": 1, "uncovered": 1, "failed": 0}
    assert (data["uncovered"], data["ignored"]) == ([], ["UC-100-2"])
    row = next(row for row in data["requirements"] if row["id"] == "UC-110-1.6")
    assert row["verdict"] == "verified"
    assert row["tests"] == [
        {
            "name": "tests.test_a::test_offsite",
            "outcome": "passed",
            "observations": [{"report": str(report), "outcome": "passed", "reason": ""}],
            "steps": [{"kind": "step", "text": "replicate <it>"}],
        }
    ]


def test_uncovered_fails_only_when_asked(directory: Path, report: Path) -> None:
    result = matrix(directory, report, "--fail-on-uncovered")
    assert result.exit_code == 1
    assert "error: no test claims 1 of the requirements" in result.stderr
    assert matrix(directory, report, "--fail-on-uncovered", "--ignore", "UC-100-2").exit_code == 0


def test_unknown_id_in_a_report_is_an_error(directory: Path, report: Path) -> None:
    report.write_text(REPORT.replace("UC-110-1.6", "UC-110-1.66"))
    result = matrix(directory, report)
    assert result.exit_code == 1
    assert "tests.test_a::test_offsite: UC-110-1.66 is not in" in result.stderr
    assert "did you mean 'UC-110-1.6'?" in result.stderr


def test_failed_requirement_is_an_exit_code(directory: Path, report: Path) -> None:
    report.write_text(REPORT.replace("<skipped", "<failure"))
    result = matrix(directory, report)
    assert result.exit_code == 1
    assert "C-BDMS-0210  failed" in result.stdout


def test_unreadable_report_is_an_error(directory: Path, tmp_path: Path) -> None:
    result = matrix(directory, tmp_path / "nowhere.xml")
    assert result.exit_code == 1
    assert "nowhere.xml: cannot be read" in result.stderr
    assert "Next step: run the tests again" in result.stderr


class Page(HTMLParser):
    """Collects what a browser would load, run and show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.identifiers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href"} and value is not None:
                self.loaded.append(value)
            if name == "id" and value is not None:
                self.identifiers.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_is_self_contained_and_escaped(directory: Path, report: Path, tmp_path: Path) -> None:
    path = tmp_path / "out" / "matrix.html"
    assert matrix(directory, report, "--html", path).exit_code == 0
    page = Page()
    page.feed(path.read_text())
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.loaded)
    assert {"UC-110-1.6", "UC-100-2", "C-BDMS-0210"} <= set(page.identifiers)
    assert "test_query[<script>]" in page.text
    assert "replicate <it>" in page.text
    assert "Run <CWL>" in page.text


def test_page_tells_problems_and_parents(write_requirements: Write, entries: Entries, report: Path) -> None:
    listed = [entries("UC-110-1"), entries("UC-110-1.6", parents=["UC-110-1"])]
    directory = write_requirements({"bdms": listed})
    path = report.with_suffix(".html")
    assert matrix(directory, report, "--html", path).exit_code == 1
    page = Page()
    page.feed(path.read_text())
    assert "wrong or incomplete" in page.text
    assert "C-BDMS-0210 is not in" in page.text
    assert {"#UC-110-1", "#UC-110-1.6"} <= set(page.loaded)


def test_page_that_cannot_be_written_is_an_error(directory: Path, report: Path) -> None:
    result = matrix(directory, report, "--html", report / "matrix.html")
    assert result.exit_code == 1
    assert f"error: {report / 'matrix.html'}: cannot be written" in result.stderr
