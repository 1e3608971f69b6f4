"""``dpps data ls|info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dpps.cli.data.shown import file_row
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from dpps.data.ports import Catalogue
    from dpps.domain.principals import Principal

__all__ = ["info", "list_path"]


def _reading() -> tuple[Principal, Catalogue]:
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal

    folder = state_folder()
    return local_principal(folder), build_catalogue(folder, "reader")


@click.command("ls")
@click.argument("path", default="/")
@click.option("-l", "long", is_flag=True, help="Show size, copies and checksum of files.")
@json_option
@state_option
def list_path(path: str, long: bool, as_json: bool) -> None:
    """List what is directly below PATH: folders, and the files of a dataset."""
    from dpps.data.browsing import list_folder

    principal, catalogue = _reading()
    entries = list_folder(principal, catalogue, path)
    rows: list[dict[str, Any]] = [
        {"name": f"{entry.name}/"} if entry.file is None else {"name": entry.name, **file_row(entry.file)}
        for entry in entries
    ]
    if as_json:
        emit_json(rows)
    else:
        columns = ["name", "bytes", "adler32", "copies"] if long else ["name"]
        emit_table(columns, rows, empty=f"nothing is below {path}")


@click.command()
@click.argument("lfn")
@json_option
@state_option
def info(lfn: str, as_json: bool) -> None:
    """Say everything about one file: content, copies and their states, rules, metadata."""
    from dpps.data.browsing import describe_file

    principal, catalogue = _reading()
    found = describe_file(principal, catalogue, lfn)
    facts: dict[str, Any] = {
        **file_row(found.file),
        "dataset": found.file.dataset,
        "replicas": [
            {"rse": one.rse, "state": one.state.value, "onsite": one.onsite, "url": one.pfn}
            for one in found.file.replicas
        ],
        "rules": [
            {"copies": one.copies, "at": one.expression, "state": one.state.value if one.state else None}
            | ({"error": one.error} if one.error else {})
            for one in found.rules
        ],
        "metadata": dict(sorted(found.file.metadata.items())),
    }
    if as_json:
        emit_json(facts)
        return
    emit_table(["what", "value"], _lines(facts), empty="")


def _lines(facts: dict[str, Any]) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [{"what": key, "value": one} for key, one in value.items()]
        elif isinstance(value, list):
            lines += [{"what": name.removesuffix("s"), "value": _words(one)} for one in value]
        else:
            lines.append({"what": name, "value": value})
    return lines


def _words(facts: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in facts.items())
