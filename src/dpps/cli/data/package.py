"""``dpps data package export|verify|import``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from dpps.cli.counting import counting
from dpps.cli.data.shown import selection_of, selection_options
from dpps.cli.output import emit_json, emit_table, json_option, show_error, state_folder, state_option

__all__ = ["package"]

_OUTPUT = click.Path(path_type=Path)


@click.group()
def package() -> None:
    """Export, verify and import packages of files (OAIS, BagIt)."""


@package.command()
@selection_options
@click.option("-o", "--output", type=_OUTPUT, required=True, help="Folder, or FILE.tar.")
@click.option(
    "--kind",
    type=click.Choice(["sip", "aip", "dip"]),
    default="dip",
    show_default=True,
    help="Submission, archival or dissemination.",
)
@click.option("--profile", type=click.Choice(["science-archive"]), help="Further demands.")
@click.option("--description", default="", help="What it is for.")
@click.option("--dry-run", is_flag=True, help="Check rights and profile of every file, write nothing.")
@json_option
@state_option
def export(
    names: tuple[str, ...],
    query: str | None,
    under: str,
    dataset: str | None,
    from_file: Path | None,
    output: Path,
    kind: str,
    profile: str | None,
    description: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write files with metadata, checksums, rights and lineage into a bag."""
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import build_export_parts, open_named_datasets
    from dpps.data.packages import ExportSettings, PackageKind, Profile, export_package
    from dpps.data.selecting import selected_lfns

    folder = state_folder()
    principal, parts = local_principal(folder), build_export_parts(folder)
    settings = ExportSettings(
        output=output,
        kind=PackageKind(kind),
        now=datetime.now(UTC),
        profile=Profile(profile) if profile else None,
        description=description,
        dry_run=dry_run,
    )
    with open_named_datasets(folder) as datasets, counting("export", quiet=as_json) as count:
        selection = selection_of(names, query, under, dataset, from_file)
        lfns = selected_lfns(principal, parts.catalogue, datasets, selection)
        made = export_package(
            principal, parts, lfns, settings, progress=lambda lfn: count(lfn.basename, None)
        )
    facts: dict[str, object] = {
        "path": str(made.path),
        "kind": made.kind.value,
        "files": made.files,
        "bytes": made.size_bytes,
        "dry_run": made.dry_run,
    }
    _show(facts, as_json=as_json)


@package.command()
@click.argument("path", type=_OUTPUT)
@json_option
@state_option
def verify(path: Path, as_json: bool) -> None:
    """Read a package to its end: complete, nothing added, every byte right."""
    from dpps.composition.principals import local_principal
    from dpps.data.packages import verify_package

    found = verify_package(local_principal(state_folder()), path)
    facts: dict[str, object] = {
        "path": str(found.path),
        "kind": found.kind.value,
        "identifier": found.identifier,
        "made_at": found.made_at.isoformat() if found.made_at else None,
        "files": found.files,
        "bytes": found.size_bytes,
    }
    _show(facts, as_json=as_json)


@package.command("import")
@click.argument("path", type=_OUTPUT)
@click.option("--rse", help="Storage that takes the first copy.")
@click.option("--dry-run", is_flag=True, help="Verify, and say what would be imported.")
@json_option
@state_option
def import_(path: Path, rse: str | None, dry_run: bool, as_json: bool) -> int:
    """Verify a package and take its files into the archive, under the same names."""
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import build_import_parts
    from dpps.data.packages import import_package

    folder = state_folder()
    parts = build_import_parts(folder, rse)
    with counting("import", quiet=as_json) as count:
        results = []
        for one in import_package(local_principal(folder), parts, path, dry_run=dry_run):
            results.append(one)
            count(one.lfn.basename, None)
    rows = [
        {
            "lfn": one.lfn.name,
            "outcome": "refused" if one.error else "imported" if one.created else "known",
            "error": one.error.as_dict() if one.error else None,
        }
        for one in results
    ]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["outcome", "lfn"], rows, empty="the package is empty")
    errors = [one.error for one in results if one.error is not None]
    for error in () if as_json else errors:
        show_error(error, as_json=False)
    return errors[0].exit_code if errors else 0


def _show(facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        emit_json(facts)
    else:
        emit_table(
            ["what", "value"], [{"what": one, "value": value} for one, value in facts.items()], empty=""
        )
