"""Log lines for people on a terminal, as they are for pipes, as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dpps.ops.logs import LogLine

__all__ = ["line_printer"]

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}


def line_printer(*, as_json: bool) -> Callable[[LogLine], None]:
    """Return a function that prints a line: an object of JSON, as it is when piped, else for people."""
    if as_json:
        return lambda line: click.echo(_as_json(line))
    if not sys.stdout.isatty():
        return lambda line: click.echo(line.raw)
    return _show


def _as_json(line: LogLine) -> str:
    """Return a line as one JSON object; the plain lines of foreign programs become the event of one."""
    if line.is_json:
        return line.raw
    return json.dumps({"service": line.service, "event": line.event})


def _show(line: LogLine) -> None:
    clock = click.style(line.time[11:23], dim=True)
    service = click.style(f"{line.service:14}", fg="cyan")
    event = click.style(line.event, fg=_COLOURS.get(line.level))
    extra = click.style(" ".join(f"{key}={value}" for key, value in line.extra), dim=True)
    click.echo(f"{clock} {service} {event} {extra}".rstrip())
    if line.exception:
        click.echo(click.style("\n".join(f"    {text}" for text in line.exception.splitlines()), dim=True))
