"""``dpps demo``: files through the whole system, ending in one page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpps.cli.output import json_option, state_option

if TYPE_CHECKING:
    from dpps.ops.demo.record import Progress

__all__ = ["demo"]

_DAMAGED = 6


@click.command()
@click.option(
    "--input",
    "named",
    type=click.Path(path_type=Path),
    help="Folder of *.simtel.zst, *.simtel.gz or *.fits.fz files; default: shared simulation files where "
    "there are any, else toy events made on the spot.",
)
@click.option("--keep", is_flag=True, help="Leave the system running.")
@json_option
@state_option
def demo(named: Path | None, keep: bool, as_json: bool) -> int:
    """Send files through the whole system and report: archived, preserved, processed."""
    from dpps.composition.state import StateFolder
    from dpps.ops.demo.steps import run_demo

    folder = StateFolder((click.get_current_context().find_root().obj or _default_folder()).absolute())
    result = run_demo(folder, named, _silent if as_json else _Lines(), keep=keep)
    if as_json:
        click.echo(json.dumps(json.loads((folder.root / "report.json").read_text()), indent=2))
    else:
        click.echo(f"\nThe page:     {result.page}")
        click.echo(f"The products: {folder.root}/storage/<site>/…")
        if keep:
            click.echo(
                f"Running:      dpps status --state {folder.root}   (stop: dpps down --state {folder.root})"
            )
        else:
            click.echo(f"Again:        dpps up --state {folder.root}")
    for one in result.refused:
        click.echo(f"refused: {one['message']}\nnext step: {one['next_step']}", err=True)
    return _DAMAGED if result.refused and named is not None else 0


def _default_folder() -> Path:
    """Return where a demo lives: here, or for root where the service user can reach it."""
    return Path("/var/lib/dpps-demo") if os.geteuid() == 0 else Path.cwd() / "demo-state"


def _silent(_progress: Progress) -> None:
    """Show nothing: the result is printed as JSON."""


class _Lines:
    """Prints progress: a line that changes in place on a terminal, lines for steps when piped."""

    def __init__(self) -> None:
        import sys

        self._in_place = sys.stderr.isatty()
        self._step = ""

    def __call__(self, progress: Progress) -> None:
        finished = progress.message and progress.done == progress.total and progress.step == self._step
        counted = f" {progress.done}/{progress.total}" if progress.total else ""
        text = f"{progress.title:30}{counted:>8}  {progress.message}"
        if self._in_place:
            new_line = progress.step != self._step and self._step
            click.echo(("\n" if new_line else "\r\x1b[2K") + text[:110], nl=False, err=True)
        elif progress.step != self._step or finished:
            click.echo(text, err=True)
        self._step = progress.step
