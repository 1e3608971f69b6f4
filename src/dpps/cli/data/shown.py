"""Rows and options that several commands of ``dpps data`` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dpps.data.selecting import Selection
    from dpps.domain.files import ArchivedFile

__all__ = ["file_row", "selection_of", "selection_options"]


def file_row(file: ArchivedFile) -> dict[str, Any]:
    """Return the facts of a file for a table."""
    return {
        "lfn": str(file.lfn),
        "bytes": file.content.size_bytes,
        "adler32": file.content.adler32,
        "copies": ",".join(f"{one.rse}:{one.state.value}" for one in file.replicas),
    }


def selection_options[F: Callable[..., Any]](function: F) -> F:
    """Add the options that say which files are meant, beside the argument ``names``."""
    for option in (
        click.option(
            "--from-file", type=click.Path(path_type=Path, dir_okay=False), help="Names, one a line."
        ),
        click.option("--dataset", help="A named dataset."),
        click.option("--under", default="/", help="Place in which --query looks."),
        click.option("--query", help="Conditions on metadata, as for 'dpps data find'."),
        click.argument("names", nargs=-1),
    ):
        function = option(function)
    return function


def selection_of(
    names: tuple[str, ...], query: str | None, under: str, dataset: str | None, from_file: Path | None
) -> Selection:
    """Return what the options select; ``-`` among the names reads more from standard input."""
    from dpps.data.selecting import Selection

    return Selection(names=_names(names, from_file), query=query, under=under, dataset=dataset)


def _names(names: tuple[str, ...], from_file: Path | None) -> Iterator[str]:
    for name in names:
        if name == "-":
            yield from filter(None, map(str.strip, sys.stdin))
        else:
            yield name
    if from_file is not None:
        yield from _lines(from_file)


def _lines(path: Path) -> Iterator[str]:
    from dpps.data.fixity import local_error

    try:
        with path.open() as stream:
            yield from filter(None, map(str.strip, stream))
    except OSError as wrong:
        raise local_error(wrong, path) from wrong
