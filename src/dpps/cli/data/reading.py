"""``dpps data ls|info|find|get``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.counting import counting
from dpps.cli.output import emit_json, emit_table, json_option, show_error, state_folder, state_option

if TYPE_CHECKING:
    from dpps.data.ports import Catalogue
    from dpps.domain.files import ArchivedFile
    from dpps.domain.principals import Principal

__all__ = ["find", "get", "info", "list_path"]


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
        {"name": f"{entry.name}/"} if entry.file is None else {"name": entry.name, **_file_row(entry.file)}
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
        **_file_row(found.file),
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


@click.command()
@click.argument("expression")
@click.option("--under", default="/", show_default=True, help="Look below this path only.")
@click.option("--limit", type=click.IntRange(min=1), help="Show at most so many.")
@json_option
@state_option
def find(expression: str, under: str, limit: int | None, as_json: bool) -> None:
    """Find files by metadata, e.g. "data__level = 'DL0' and instance__obs_id = 2000000456"."""
    from dpps.data.query import find_files

    principal, catalogue = _reading()
    files = find_files(principal, catalogue, expression, under=under, limit=limit)
    if as_json:
        emit_json([{**_file_row(file), "metadata": dict(file.metadata)} for file in files])
    else:
        emit_table(
            ["lfn", "bytes", "copies"], [_file_row(file) for file in files], empty="no file meets this"
        )


@click.command()
@click.argument("lfns", nargs=-1, required=True)
@click.option(
    "-o", "--output", "destination", type=click.Path(path_type=Path), default=Path(), help="Folder."
)
@click.option("--near", help="RSE to prefer.")
@json_option
@state_option
def get(lfns: tuple[str, ...], destination: Path, near: str | None, as_json: bool) -> int:
    """Retrieve files into a folder: the nearest good copy, with its checksum verified."""
    from dpps.composition.storage import build_storage
    from dpps.data.retrieval import get_files
    from dpps.domain.names import Lfn

    names = [Lfn(name) for name in lfns]
    principal, catalogue = _reading()
    with counting("get", quiet=as_json) as count:
        results = get_files(
            principal,
            catalogue,
            build_storage(state_folder(), "reader"),
            names,
            destination,
            near=near,
            progress=lambda result: count(result.lfn.basename, len(names)),
        )
    rows = [
        {
            "lfn": str(one.lfn),
            "path": str(one.path) if one.path else None,
            "from": one.rse,
            "bytes": one.size_bytes,
            "passed_over": list(one.passed_over),
            "error": one.error.as_dict() if one.error else None,
        }
        for one in results
    ]
    errors = [one.error for one in results if one.error is not None]
    if as_json:
        emit_json(rows)
    else:
        there = [row for row in rows if row["path"]]
        emit_table(["path", "from", "bytes"], there, empty="nothing was retrieved")
        for error in errors:
            show_error(error, as_json=False)
    return errors[0].exit_code if errors else 0


def _file_row(file: ArchivedFile) -> dict[str, Any]:
    return {
        "lfn": str(file.lfn),
        "bytes": file.content.size_bytes,
        "adler32": file.content.adler32,
        "copies": ",".join(f"{one.rse}:{one.state.value}" for one in file.replicas),
    }


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
