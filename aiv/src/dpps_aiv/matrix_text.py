"""The matrix for people: a table on a terminal, plain lines when piped."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dpps_aiv.junit import Observation, TestEvidence
from dpps_aiv.matrix import Matrix, Row, Verdict

_STYLE = {
    Verdict.VERIFIED: "green",
    Verdict.PARTLY_VERIFIED: "yellow",
    Verdict.NOT_RUN: "yellow",
    Verdict.UNCOVERED: "magenta",
    Verdict.FAILED: "bold red",
}


def print_table(matrix: Matrix, console: Console) -> None:
    """Print the matrix as a table, the uncovered below it."""
    table = Table(title="Traceability", header_style="bold", title_justify="left")
    table.add_column("id", no_wrap=True)
    for heading in ("title", "verdict", "tests"):
        table.add_column(heading)
    subsystem = None
    for row in sorted(matrix.rows, key=lambda row: row.subsystem):
        if row.subsystem != subsystem:
            subsystem = row.subsystem
            table.add_section()
            table.add_row(f"[bold]{escape(subsystem)}[/bold]", "", "", "")
        table.add_row(
            row.requirement.id,
            escape(row.requirement.title),
            f"[{_STYLE[row.verdict]}]{row.verdict.value}[/]",
            escape(count_of_tests(row)),
        )
    console.print(table)
    for line in (*_details(matrix), *_closing(matrix)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def plain_lines(matrix: Matrix) -> Iterator[str]:
    """Give the matrix as lines: one per requirement, indented ones per test."""
    for row in matrix.rows:
        yield f"{row.requirement.id}  {row.verdict.value}  {row.subsystem}  {row.requirement.title}"
        for test in row.tests:
            yield f"    {test_line(test)}"
    yield from _closing(matrix)


def count_of_tests(row: Row) -> str:
    """Count a requirement's own tests by outcome; one without points to its parts."""
    if not row.tests:
        return f"from its parts ({len(row.children)})" if row.children else "none"
    counts = Counter(test.outcome for test in row.tests)
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())


def test_line(test: TestEvidence) -> str:
    """Say how a test ended, run by run where the runs differ or were several."""
    if len(test.observations) == 1:
        return f"{_result(test.observations[0])}  {test.name}"
    runs = "; ".join(f"{seen.report}: {_result(seen)}" for seen in test.observations)
    return f"{test.outcome.value}  {test.name}  [{runs}]"


# The name begins with "test": pytest would otherwise run it where a test imports it.
test_line.__test__ = False  # type: ignore[attr-defined]


def _result(observation: Observation) -> str:
    reason = observation.reason.partition("\n")[0]
    return f"{observation.outcome.value} ({reason})" if reason else observation.outcome.value


def _details(matrix: Matrix) -> Iterator[str]:
    """Name the tests that did not simply pass."""
    for row in matrix.rows:
        for test in row.tests:
            if any(seen.outcome.value != "passed" for seen in test.observations):
                yield f"{row.requirement.id}: {test_line(test)}"


def _closing(matrix: Matrix) -> Iterator[str]:
    counts = ", ".join(f"{len(matrix.with_verdict(verdict))} {verdict.value}" for verdict in Verdict)
    yield f"{len(matrix.rows)} requirements: {counts}. Tests that claim none: {matrix.unbound}."
    for row in matrix.uncovered():
        yield f"uncovered: {row.requirement.id}  {row.requirement.title}"
