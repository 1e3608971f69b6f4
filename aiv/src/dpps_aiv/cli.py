"""The command `dpps-aiv`. What a command needs is imported when it runs."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpps_aiv.errors import AivError

if TYPE_CHECKING:
    from dpps_aiv.matrix import Matrix

_requirements_option = click.option(
    "--requirements",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("requirements"),
    show_default=True,
    metavar="DIR",
    help="Folder of the requirements.",
)


def _told_plainly[**P](command: Callable[P, None]) -> Callable[P, None]:
    """Print what is wrong and what to do, and exit with 1, instead of a stack trace."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except AivError as error:
            for problem in error.problems:
                click.echo(f"error: {problem}", err=True)
            click.echo(f"Next step: {error.next_step}", err=True)
            sys.exit(1)

    return told


@click.group()
@click.version_option(package_name="dpps-aiv")
def main() -> None:
    """Requirements, the tests that verify them, and the verdict."""


@main.command()
@_requirements_option
@click.option("--json", "as_json", is_flag=True, help="Print data for programs.")
@_told_plainly
def check(directory: Path, as_json: bool) -> None:
    """Check the requirements alone."""
    from collections import Counter

    from dpps_aiv.requirements import load_requirements

    requirements = load_requirements(directory)
    counts = Counter(requirements.subsystems.values())
    if as_json:
        click.echo(json.dumps({"requirements": len(requirements.entries), "subsystems": counts}))
        return
    click.echo(f"{directory}: {len(requirements.entries)} use cases and requirements are in order.")
    for subsystem, count in sorted(counts.items()):
        click.echo(f"  {subsystem}: {count}")


@main.command()
def schema() -> None:
    """Print the JSON schema of a file of requirements."""
    from dpps_aiv.requirements import RequirementsFile

    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RequirementsFile.model_json_schema(),
    }
    click.echo(json.dumps(document, indent=2))


@main.command()
@click.option(
    "--junit",
    "reports",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    metavar="FILE",
    help="JUnit report of a test run (repeatable). Of a test in several reports the worst outcome counts.",
)
@_requirements_option
@click.option("--json", "as_json", is_flag=True, help="Print data for programs.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one self-contained page."
)
@click.option("--fail-on-uncovered", is_flag=True, help="Exit with 1 when no test claims a requirement.")
@click.option(
    "--ignore", multiple=True, metavar="ID", help="Do not ask for coverage of this one (repeatable)."
)
@_told_plainly
def matrix(
    reports: tuple[Path, ...],
    directory: Path,
    as_json: bool,
    html: Path | None,
    fail_on_uncovered: bool,
    ignore: tuple[str, ...],
) -> None:
    """Set test results against requirements.

    Exits with 1 when a requirement failed, when a test claims an id that is in
    no requirement, or when a report is incomplete.
    """
    from dpps_aiv.junit import read_reports
    from dpps_aiv.matrix import Verdict, build_matrix
    from dpps_aiv.requirements import load_requirements

    result = build_matrix(load_requirements(directory), read_reports(reports), ignore)
    if html is not None:
        from dpps_aiv.matrix_html import matrix_as_html

        _write(html, matrix_as_html(result, "Traceability matrix"))
    _print(result, as_json=as_json)
    complaints = list(result.problems)
    if fail_on_uncovered and result.uncovered():
        complaints.append(f"no test claims {len(result.uncovered())} of the requirements")
    for complaint in complaints:
        click.echo(f"error: {complaint}", err=True)
    if complaints or result.with_verdict(Verdict.FAILED):
        sys.exit(1)


def _print(result: "Matrix", *, as_json: bool) -> None:
    if as_json:
        from dpps_aiv.matrix_json import matrix_as_data

        click.echo(json.dumps(matrix_as_data(result), indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        from rich.console import Console

        from dpps_aiv.matrix_text import print_table

        print_table(result, Console())
    else:
        from dpps_aiv.matrix_text import plain_lines

        for line in plain_lines(result):
            click.echo(line)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AivError(
            [f"{path}: cannot be written: {error.strerror}"],
            next_step="name a file in a folder that you may write",
        ) from error
