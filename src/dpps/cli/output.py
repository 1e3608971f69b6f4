"""How results reach people and programs: tables on a terminal, plain text in pipes, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpps.domain.errors import DppsError, InvalidInput

if TYPE_CHECKING:
    from dpps.composition.state import StateFolder

__all__ = [
    "confirm",
    "emit_json",
    "emit_table",
    "json_option",
    "show_error",
    "state_folder",
    "state_option",
    "visible",
]


def _keep_state(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        ctx.find_root().obj = value
    return value


def confirm(question: str) -> None:
    """Ask on the terminal; go on only after a yes.

    Raises
    ------
    InvalidInput
        When there is no terminal to ask on.
    click.Abort
        When the answer is no.
    """
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"this wants an answer, and there is no terminal to ask on: {question}",
            code="answer-needed",
            next_step="add --yes if you mean it, or look first with --dry-run",
        )
    click.confirm(question, abort=True, err=True)


def state_option[F: Callable[..., Any]](function: F) -> F:
    """Accept ``--state`` after the command too."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        expose_value=False,
        callback=_keep_state,
        help="State folder of the system.",
    )(function)


def json_option[F: Callable[..., Any]](function: F) -> F:
    """Add ``--json``, passed to the command as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def state_folder() -> StateFolder:
    """Return the state folder that the command line names, else the default one."""
    from dpps.composition.state import StateFolder, default_state_folder

    named = click.get_current_context().find_root().obj
    return StateFolder((named or default_state_folder()).absolute())


def emit_json(data: object) -> None:
    """Print data as indented JSON."""
    click.echo(json.dumps(data, indent=2, default=str))


def emit_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]], *, empty: str) -> None:
    """Print rows under their columns; tab-separated without decoration when piped.

    Parameters
    ----------
    columns : sequence of str
        Keys of the rows, in order; also the headings.
    rows : sequence of mapping
        One mapping a row.
    empty : str
        What to say when there are no rows.
    """
    import sys

    if not rows:
        click.echo(empty, err=True)
        return
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(_text(row.get(column)) for column in columns))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    Console().print(table)


def _text(value: object) -> str:
    return "" if value is None else visible(str(value))


def visible(text: str) -> str:
    r"""Return text with control characters spelled out (``\n``, ``\x1b``).

    Names of files come from outside: they must neither break rows nor speak to the terminal.
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def show_error(error: DppsError, *, as_json: bool) -> None:
    """Print an error to standard error: what is wrong, then what to do."""
    if as_json:
        click.echo(json.dumps({"error": error.as_dict()}, indent=2), err=True)
        return
    click.echo(f"{click.style('error:', fg='red', bold=True)} {_visible_lines(error.message)}", err=True)
    if error.next_step:
        click.echo(f"next step: {_visible_lines(error.next_step)}", err=True)


def _visible_lines(text: str) -> str:
    """Return text of several lines with its other control characters spelled out."""
    return "\n".join(map(visible, text.split("\n")))
