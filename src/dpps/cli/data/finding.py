"""``dpps data find|keys|lineage``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.data.shown import file_row
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option, visible

if TYPE_CHECKING:
    from dpps.data.lineage import Lineage

__all__ = ["find", "keys", "lineage"]

_PAGE = 100


@click.command()
@click.argument("expression", default="")
@click.option("--under", default="/", show_default=True, help="Folder, or pattern of names with * ? [ ] **.")
@click.option("--limit", type=click.IntRange(min=1), help="One page of at most so many; all by default.")
@click.option("--after", help="The page after this name, which the page before ended with.")
@click.option("-l", "long", is_flag=True, help="Show checksum and copies.")
@json_option
@state_option
def find(
    expression: str, under: str, limit: int | None, after: str | None, long: bool, as_json: bool
) -> None:
    """Find files by metadata, e.g. "data__level = 'DL0' and instance__obs_id in (12, 13)".

    Without an EXPRESSION, files are found by --under alone. With --limit, the JSON says whether there is
    more, and what --after is for the next page.
    """
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal
    from dpps.data.query import find_page

    folder = state_folder()
    principal, catalogue = local_principal(folder), build_catalogue(folder, "reader")
    shown = _Rows(["lfn", "bytes", "adler32", "copies"] if long else ["lfn", "bytes"], as_json=as_json)
    while True:
        page = find_page(principal, catalogue, expression, under=under, after=after, limit=limit or _PAGE)
        after = page.after
        rows = [
            {**file_row(file), **({"metadata": dict(file.metadata)} if as_json else {})}
            for file in page.files
        ]
        if limit is not None and as_json:
            emit_json({"files": rows, "more": after is not None, "next": after})
            return
        shown.add(rows)
        if limit is not None or after is None:
            break
    shown.close()
    if after is not None:
        click.echo(f"there is more: --after {visible(after)}", err=True)


class _Rows:
    """Prints pages as they come, so that a million files need no memory."""

    def __init__(self, columns: list[str], *, as_json: bool) -> None:
        self._columns = columns
        self._as_json = as_json
        self._number = 0

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Print a page."""
        for row in rows if self._as_json else ():
            click.echo((",\n  " if self._number else "[\n  ") + json.dumps(row, default=str), nl=False)
            self._number += 1
        if rows and not self._as_json:
            emit_table(self._columns, rows, empty="")
            self._number += len(rows)

    def close(self) -> None:
        """End the list, or say that there is none."""
        if self._as_json:
            click.echo("\n]" if self._number else "[]")
        elif not self._number:
            click.echo("no file meets this", err=True)


@click.command()
@click.argument("word", default="")
@json_option
def keys(word: str, as_json: bool) -> None:
    """List the metadata keys that queries can name; only those that contain WORD."""
    from dpps.data.query.keys import known_keys

    rows = [{"key": key, "kind": kind} for key, kind in sorted(known_keys().items()) if word in key]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["key", "kind"], rows, empty=f"no key contains {word!r}")


@click.command()
@click.argument("lfn")
@click.option("--up", "direction", flag_value="up", default="up", help="What it was made from (default).")
@click.option("--down", "direction", flag_value="down", help="What was made from it.")
@click.option("--depth", type=click.IntRange(min=1), help="At most so many steps.")
@json_option
@state_option
def lineage(lfn: str, direction: str, depth: int | None, as_json: bool) -> None:
    """Show what a file was made from, or what was made from it."""
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal
    from dpps.data.lineage import Direction, trace

    folder = state_folder()
    found = trace(
        local_principal(folder), build_catalogue(folder, "reader"), lfn, Direction(direction), depth=depth
    )
    if as_json:
        emit_json(_facts(found))
        return
    _print(found, found.root, 0, set())
    if not found.complete:
        click.echo("there is more beyond the limit", err=True)


def _facts(found: Lineage) -> dict[str, Any]:
    return {
        "root": found.root,
        "direction": found.direction.value,
        "complete": found.complete,
        "files": [
            {
                "lfn": node.name,
                "known": node.known,
                "activity": node.activity,
                "software": node.software,
                "production": node.production,
                "related": list(found.relations.get(node.name, ())),
            }
            for node in found.nodes.values()
        ],
    }


def _print(found: Lineage, name: str, indent: int, shown: set[str]) -> None:
    """Print a file and what follows from it, each file with its relations once."""
    node = found.nodes[name]
    notes = [] if node.known else ["not in the archive"]
    notes += [f"by {node.activity}"] if node.activity else []
    notes += [f"in {node.production}"] if node.production else []
    related = found.relations.get(name, ())
    notes += ["see above"] if name in shown and related else []
    click.echo("  " * indent + visible(name) + (f"  ({visible(', '.join(notes))})" if notes else ""))
    if name in shown:
        return
    shown.add(name)
    for one in related:
        _print(found, one, indent + 1, shown)
