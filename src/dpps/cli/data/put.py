"""``dpps data put|extend``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.counting import counting
from dpps.cli.output import emit_json, emit_table, json_option, show_error, state_folder, state_option

if TYPE_CHECKING:
    from dpps.composition.archive import Archive
    from dpps.data.storing import FileToStore, StoredFile
    from dpps.domain.errors import DppsError

__all__ = ["extend", "put"]

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=_PATH)
@click.option("--product", type=_PATH, help="YAML or JSON with the metadata that all files share.")
@click.option("--kind", help="Product type: level/division/association/type.")
@click.option("--metadata", "pairs", multiple=True, metavar="KEY=VALUE", help="One key (repeatable).")
@click.option("--manifest", type=_PATH, help="List of files, each with path, metadata, lfn, dataset.")
@click.option("--lfn", help="Name in the archive; with / at its end, the folder.")
@click.option("--dataset", help="Dataset to attach to; the folder of the name by default.")
@click.option("--rse", "--near", "rse", help="Storage that takes the first copy.")
@click.option("--pass", "pass_number", type=click.IntRange(1, 999), default=1, show_default=True)
@click.option("--temporary", is_flag=True, help="Store for a time only; needs no metadata.")
@click.option("--lifetime", help="How long, e.g. '7 days' (with --temporary; default: the policy's).")
@click.option("--dry-run", is_flag=True, help="Check everything, store nothing.")
@json_option
@state_option
def put(
    files: tuple[Path, ...],
    product: Path | None,
    kind: str | None,
    pairs: tuple[str, ...],
    manifest: Path | None,
    lfn: str | None,
    dataset: str | None,
    rse: str | None,
    pass_number: int,
    temporary: bool,
    lifetime: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Store FILES: as products with metadata, or with --temporary for a time.

    The same call again finishes what was interrupted, and changes nothing else.
    """
    from dpps.cli.data.manifest import named_files, read_manifest, read_metadata
    from dpps.composition.archive import open_archive

    metadata = read_metadata(product, kind, pairs)
    wanted = named_files(files, lfn, dataset) + (read_manifest(manifest) if manifest else [])
    _check_options(wanted, temporary=temporary, lifetime=lifetime)
    archive = open_archive(state_folder().root)
    with counting("put", quiet=as_json) as count:
        results = archive.put(
            wanted,
            metadata=metadata,
            temporary=_lifetime(archive, lifetime) if temporary else None,
            rse=rse,
            pass_number=pass_number,
            dry_run=dry_run,
            progress=lambda one: count(one.path.name, len(wanted)),
        )
    return _show(
        [_stored_row(one) for one in results],
        ["outcome", "lfn", "rse", "bytes", "expires_at"],
        [one.error for one in results],
        as_json=as_json,
    )


@click.command()
@click.argument("lfns", nargs=-1, required=True)
@click.option("--lifetime", required=True, help="How long from now, e.g. '7 days'.")
@click.option("--dry-run", is_flag=True, help="Say which files can be kept, change nothing.")
@json_option
@state_option
def extend(lfns: tuple[str, ...], lifetime: str, dry_run: bool, as_json: bool) -> int:
    """Keep temporary files for a time from now: longer, or shorter than before."""
    from dpps.composition.archive import open_archive
    from dpps.data.policy.durations import parse_duration

    results = open_archive(state_folder().root).extend(lfns, parse_duration(lifetime), dry_run=dry_run)
    rows = [
        {
            "lfn": str(one.lfn),
            "outcome": "would be kept" if dry_run else "kept",
            "expires_at": one.expires_at and one.expires_at.isoformat(timespec="seconds"),
            "error": one.error and one.error.as_dict(),
        }
        for one in results
    ]
    return _show(rows, ["outcome", "lfn", "expires_at"], [one.error for one in results], as_json=as_json)


def _check_options(wanted: Sequence[FileToStore], *, temporary: bool, lifetime: str | None) -> None:
    from dpps.domain.errors import InvalidInput

    if not wanted:
        raise InvalidInput(
            "no file is named", code="option-invalid", next_step="name files, or a list with --manifest"
        )
    if lifetime is not None and not temporary:
        raise InvalidInput(
            "--lifetime is for temporary files only: products are kept as the policy says",
            code="option-invalid",
            next_step="add --temporary, or leave --lifetime out",
        )


def _lifetime(archive: Archive, lifetime: str | None) -> timedelta:
    from dpps.data.policy.durations import parse_duration

    return parse_duration(lifetime) if lifetime is not None else archive.policy.temporary.lifetime


def _stored_row(one: StoredFile) -> dict[str, Any]:
    return {
        "path": str(one.path),
        "outcome": one.outcome.value,
        "lfn": str(one.lfn) if one.lfn else None,
        "rse": one.rse,
        "bytes": one.size_bytes,
        "expires_at": one.expires_at and one.expires_at.isoformat(timespec="seconds"),
        "error": one.error and one.error.as_dict(),
    }


def _show(
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str],
    errors: Sequence[DppsError | None],
    *,
    as_json: bool,
) -> int:
    """Print what became of each file; return the exit code of the first error."""
    wrong = [error for error in errors if error is not None]
    if as_json:
        emit_json(rows)
    else:
        good = [row for row in rows if row["error"] is None]
        emit_table(columns, good, empty="nothing was done")
        for error in wrong:
            show_error(error, as_json=False)
    return wrong[0].exit_code if wrong else 0
