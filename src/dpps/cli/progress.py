"""Progress of the services while they start and stop: a live table on a terminal, lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from dpps.ops.status import ServiceStatus

__all__ = ["duration", "show_changes"]

_COLOURS = {
    "ready": "green",
    "external": "green",
    "failed": "red",
    "unready": "red",
    "restarting": "yellow",
    "absent": "yellow",
}


def duration(seconds: float) -> str:
    """Return a time span for people: ``42 s``, ``5 min``, ``3 h 20 min``, ``2 d 4 h``."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


@contextmanager
def show_changes(*, quiet: bool) -> Iterator[Callable[[ServiceStatus], None]]:
    """Yield a function that shows changes of services; it shows none when `quiet`."""
    if quiet:
        yield lambda _service: None
    elif sys.stderr.isatty():
        yield from _live_table()
    else:
        yield _line_printer()


def _line_printer() -> Callable[[ServiceStatus], None]:
    began = time.monotonic()

    def show(service: ServiceStatus) -> None:
        why = f"  {service.reason}" if service.reason else ""
        click.echo(
            f"{time.monotonic() - began:6.1f} s  {service.name:14} {service.state.value}{why}", err=True
        )

    return show


def _live_table() -> Iterator[Callable[[ServiceStatus], None]]:
    from rich.console import Console
    from rich.live import Live

    latest: dict[str, ServiceStatus] = {}
    with Live(console=Console(stderr=True), refresh_per_second=8) as live:

        def show(service: ServiceStatus) -> None:
            latest[service.name] = service
            live.update(_table(latest))

        yield show


def _table(services: dict[str, ServiceStatus]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for service in services.values():
        colour = _COLOURS.get(service.state.value, "cyan")
        note = service.reason or (f"{service.start_seconds:.1f} s" if service.start_seconds else "")
        table.add_row(service.name, Text(service.state.value, style=colour), Text(note, style="dim"))
    return table
