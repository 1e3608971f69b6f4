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
    help="Folder of *.simtel.zst, *.simtel.gz or *.fits.fz files, processed to reconstructed showers; "
    "default: a night that is simulated on the spot, processed to a spectrum.",
)
@click.option("--toy", is_flag=True, help="A quick way through: toy events, to reconstructed showers.")
@click.option("--keep", is_flag=True, help="Leave the system running.")
@json_option
@state_option
def demo(named: Path | None, toy: bool, keep: bool, as_json: bool) -> int:
    """Send a night through the whole system and report: archived, preserved, processed."""
    if named is not None and toy:
        raise click.UsageError("--input and --toy exclude each other: leave one out")
    from dpps.composition.state import StateFolder
    from dpps.ops.demo.steps import run_demo

    folder = StateFolder((click.get_current_context().find_root().obj or _default_folder()).absolute())
    result = run_demo(folder, named, _silent if as_json else _Lines(), toy=toy, keep=keep)
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
    """Prints progress: a line that changes in place on a terminal, lines of news when piped."""

    def __init__(self) -> None:
        import sys
        import time

        self._in_place = sys.stderr.isatty()
        self._now = time.monotonic
        self._began = time.monotonic()
        self._step = ""

    def __call__(self, progress: Progress) -> None:
        counted = f"{progress.done}/{progress.total}" if progress.total else ""
        elapsed = f"{self._now() - self._began:6.1f} s"
        text = f"{elapsed}  {progress.title:28} {counted:>7}  {progress.message}"
        if self._in_place:
            self._rewrite(text, is_new=progress.step != self._step)
        elif progress.message:
            click.echo(text, err=True)
        self._step = progress.step

    def _rewrite(self, text: str, *, is_new: bool) -> None:
        """Put the text over the present line, or on a new line for a new step."""
        import shutil

        width = shutil.get_terminal_size().columns - 1
        start = "\n" if is_new and self._step else "\r\x1b[2K"
        click.echo(start + text[:width], nl=False, err=True)
