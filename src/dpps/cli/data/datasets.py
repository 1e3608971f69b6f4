"""``dpps data dataset save|list|show|files|freeze|remove``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option, visible

if TYPE_CHECKING:
    from dpps.data.named_datasets import NamedDataset

__all__ = ["dataset"]

_COLUMNS = ["name", "frozen_at", "owner", "expression", "under", "description"]


@click.group()
def dataset() -> None:
    """Keep queries under a name, or fix the list of what they find."""


@dataset.command()
@click.argument("name")
@click.argument("expression")
@click.option("--under", default="/", show_default=True, help="Folder, or pattern of names.")
@click.option("--description", default="", help="What it is for.")
@click.option("--dry-run", is_flag=True, help="Only check the expression and count what it finds.")
@json_option
@state_option
def save(name: str, expression: str, under: str, description: str, dry_run: bool, as_json: bool) -> None:
    """Keep the query EXPRESSION as NAME."""
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import open_named_datasets
    from dpps.data.named_datasets import NamedDataset, save_dataset
    from dpps.data.query import find_lfns, parse_place, parse_query

    folder = state_folder()
    wanted = NamedDataset(
        name=name, expression=expression, under=under, description=description, saved_at=datetime.now(UTC)
    )
    principal = local_principal(folder)
    if dry_run:
        catalogue = build_catalogue(folder, "reader")
        found = find_lfns(principal, catalogue, parse_query(expression), parse_place(under))
        facts = {**_row(wanted), "files": sum(1 for _ in found)}
    else:
        with open_named_datasets(folder) as datasets:
            facts = _row(save_dataset(principal, datasets, wanted))
    _show(facts, as_json=as_json)


@dataset.command("list")
@json_option
@state_option
def list_all(as_json: bool) -> None:
    """List all named datasets."""
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import open_named_datasets
    from dpps.data.named_datasets import list_datasets

    folder = state_folder()
    with open_named_datasets(folder) as datasets:
        rows = [_row(one) for one in list_datasets(local_principal(folder), datasets)]
    if as_json:
        emit_json(rows)
    else:
        emit_table(_COLUMNS, rows, empty="no dataset was saved")


@dataset.command()
@click.argument("name")
@json_option
@state_option
def show(name: str, as_json: bool) -> None:
    """Show a dataset's query and how much it finds now."""
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import open_named_datasets
    from dpps.data.named_datasets import dataset_size, find_dataset

    folder = state_folder()
    principal = local_principal(folder)
    with open_named_datasets(folder) as datasets:
        known = find_dataset(principal, datasets, name)
        size = dataset_size(principal, build_catalogue(folder, "reader"), datasets, name)
    _show(
        {**_row(known), "files": size.files, "bytes": size.size_bytes, "missing": size.missing},
        as_json=as_json,
    )


@dataset.command()
@click.argument("name")
@json_option
@state_option
def files(name: str, as_json: bool) -> None:
    """List the files of a dataset, as they are found."""
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import open_named_datasets
    from dpps.data.named_datasets import dataset_lfns

    folder = state_folder()
    with open_named_datasets(folder) as datasets:
        lfns = dataset_lfns(local_principal(folder), build_catalogue(folder, "reader"), datasets, name)
        if as_json:
            emit_json([lfn.name for lfn in lfns])
            return
        for lfn in lfns:
            click.echo(visible(lfn.name))


@dataset.command()
@click.argument("name")
@json_option
@state_option
def freeze(name: str, as_json: bool) -> None:
    """Fix the list of files that a dataset finds now, with a digest, for ever."""
    from dpps.composition.data import build_catalogue
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import open_named_datasets
    from dpps.data.named_datasets import freeze_dataset

    folder = state_folder()
    with open_named_datasets(folder) as datasets:
        catalogue = build_catalogue(folder, "reader")
        frozen = freeze_dataset(local_principal(folder), catalogue, datasets, name, datetime.now(UTC))
    _show(_row(frozen), as_json=as_json)


@dataset.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be forgotten.")
@json_option
@state_option
def remove(name: str, dry_run: bool, as_json: bool) -> None:
    """Forget a dataset; no file is touched."""
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import open_named_datasets
    from dpps.data.named_datasets import find_dataset, remove_dataset

    folder = state_folder()
    principal = local_principal(folder)
    with open_named_datasets(folder) as datasets:
        known = find_dataset(principal, datasets, name)
        if not dry_run:
            remove_dataset(principal, datasets, name)
    _show({**_row(known), "removed": not dry_run}, as_json=as_json)


def _row(known: NamedDataset) -> dict[str, Any]:
    return {
        "name": known.name,
        "expression": known.expression,
        "under": known.under,
        "description": known.description,
        "owner": known.owner,
        "saved_at": known.saved_at.isoformat(),
        "frozen_at": known.frozen_at.isoformat() if known.frozen_at else None,
        "digest": known.digest,
    }


def _show(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(facts)
    else:
        emit_table(
            ["what", "value"], [{"what": one, "value": value} for one, value in facts.items()], empty=""
        )
