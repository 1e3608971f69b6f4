"""``dpps ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpps.cli.counting import counting
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from dpps.data.ingest import IngestedFile

__all__ = ["ingest"]


@click.command()
@click.argument("handover", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read and check the files, change nothing.")
@click.option("--array-site", help="CTAO-North or CTAO-South, where neither path nor file tell.")
@click.option("--remove", is_flag=True, help="Delete handed-over files once copied, verified and registered.")
@json_option
@state_option
def ingest(handover: Path | None, dry_run: bool, array_site: str | None, remove: bool, as_json: bool) -> int:
    """Take the announced files of a hand-over folder into the archive, in one pass.

    A file is announced by <file>.trigger beside it: a symbolic link to it, or an empty file. Raw streams
    (.fits.fz) belong under <vo>/<scope>/DL0/ in the folder; sim_telarray files may lie anywhere.
    """
    from dpps.composition.data import (
        build_catalogue,
        build_ingest_settings,
        build_inspectors,
        build_policy,
        build_storage,
    )
    from dpps.composition.principals import local_principal
    from dpps.data.ingest import ingest_pass

    folder = state_folder()
    settings = build_ingest_settings(
        folder, handover=handover, array_site=array_site, remove_handed_over=remove, dry_run=dry_run
    )
    with counting("ingest", quiet=as_json) as count:
        results = ingest_pass(
            local_principal(folder),
            build_catalogue(folder, "ingest"),
            build_storage(),
            build_inspectors(),
            build_policy(folder),
            settings,
            progress=lambda result, total: count(result.path.name, total),
        )
    return _show(results, as_json=as_json)


def _show(results: list[IngestedFile], *, as_json: bool) -> int:
    from dpps.cli.output import show_error

    rows = [
        {
            "path": str(one.path),
            "outcome": one.outcome.value,
            "lfn": str(one.lfn) if one.lfn else None,
            "rse": one.rse,
            "bytes": one.size_bytes,
            "error": one.error.as_dict() if one.error else None,
        }
        for one in results
    ]
    errors = [one.error for one in results if one.error is not None]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["outcome", "path", "lfn", "bytes"], rows, empty="no file is announced by a trigger")
        for error in errors:
            show_error(error, as_json=False)
    return errors[0].exit_code if errors else 0
