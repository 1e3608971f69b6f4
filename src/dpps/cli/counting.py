"""A progress line on a terminal; nothing in pipes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["counting"]


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[str, int | None], None]]:
    """Yield a function to call for every thing that is done, with its name and how many there are.

    Parameters
    ----------
    what : str
        What is done, in a word.
    quiet : bool
        Show nothing, whatever standard error is.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _name, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(TextColumn(what), *shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda name, total: progress.update(task, advance=1, total=total, description=name)
