"""``dpps ingest [HANDOVER]``: one pass, or watching."""

from __future__ import annotations

import shlex
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpps.cli.counting import counting
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option, visible

if TYPE_CHECKING:
    from dpps.composition.state import StateFolder
    from dpps.data.ingest.values import IngestedFile, IngestSettings

__all__ = ["take"]


@click.command()
@click.argument("handover", required=False, type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on until interrupted, as the ingest service does.")
@click.option("--dry-run", is_flag=True, help="Read and check the files, change nothing.")
@click.option("--array-site", help="CTAO-North or CTAO-South, where neither path nor file tell.")
@click.option("--remove", is_flag=True, help="Delete handed-over files once copied, verified and registered.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that read files; default: processors.")
@json_option
@state_option
def take(
    handover: Path | None,
    watch: bool,
    dry_run: bool,
    array_site: str | None,
    remove: bool,
    workers: int | None,
    as_json: bool,
) -> int:
    """Take the announced files of a hand-over folder into the archive."""
    from dpps.composition.ingest import build_ingest_settings

    if watch and dry_run:
        raise click.UsageError("--watch and --dry-run exclude each other: a dry run is one pass")
    folder = state_folder()
    settings = build_ingest_settings(
        folder,
        handover=handover,
        array_site=array_site,
        remove_handed_over=remove,
        dry_run=dry_run,
        workers=workers,
    )
    return _watch(folder, settings, as_json) if watch else _pass(folder, settings, workers, as_json)


def _pass(folder: StateFolder, settings: IngestSettings, workers: int | None, as_json: bool) -> int:
    from dpps.composition.data import build_catalogue, build_inspectors, build_policy
    from dpps.composition.ingest import build_ingest_crew, hold_handover
    from dpps.composition.principals import local_principal
    from dpps.composition.storage import build_storage
    from dpps.data.ingest.passes import ingest_pass

    held = nullcontext() if settings.dry_run else hold_handover(folder, settings.handover, "dpps ingest")
    with held, closing(build_ingest_crew(workers)) as crew, counting("ingest", quiet=as_json) as count:
        results = ingest_pass(
            local_principal(folder),
            build_catalogue(folder, "ingest"),
            build_storage(folder, "ingest"),
            build_inspectors(),
            build_policy(folder),
            settings,
            crew=crew,
            progress=lambda result, total: count(result.path.name, total),
        )
    return _show(results, as_json=as_json)


def _watch(folder: StateFolder, settings: IngestSettings, as_json: bool) -> int:
    from dpps.composition.ingest import build_ingest_parts, hold_handover
    from dpps.composition.principals import local_principal
    from dpps.composition.telemetry import configure_logging
    from dpps.services.ingest.foreground import watch_folder
    from dpps.services.ingest.handover import IngestParts

    configure_logging("ingest")
    parts = IngestParts(
        **build_ingest_parts(folder, settings=settings, principal=local_principal(folder)),
    )
    with hold_handover(folder, settings.handover, "dpps ingest --watch"), closing(parts.crew):
        watch_folder(parts, lambda result: _tell(result, as_json=as_json))
    return 0


def _row(one: IngestedFile) -> dict[str, object]:
    return {
        "path": str(one.path),
        "outcome": one.outcome.value,
        "lfn": str(one.lfn) if one.lfn else None,
        "rse": one.rse,
        "bytes": one.size_bytes,
        "quarantine": str(one.quarantine) if one.quarantine else None,
        "error": one.error.as_dict() if one.error else None,
    }


def _tell(one: IngestedFile, *, as_json: bool) -> None:
    """Print one result on one line, as soon as it is there."""
    import json

    if as_json:
        click.echo(json.dumps(_row(one)))
        return
    told = one.error.message if one.error else str(one.lfn)
    if one.quarantine is not None:
        told += f"; it lies in {one.quarantine}"
    click.echo(f"{one.outcome.value}\t{visible(str(one.path))}\t{visible(told)}")


def _show(results: list[IngestedFile], *, as_json: bool) -> int:
    from dpps.cli.output import show_error

    rows = [_row(one) for one in results]
    errors = [one.error for one in results if one.error is not None]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["outcome", "path", "lfn", "bytes"], rows, empty="no file is announced by a trigger")
        for one in results:
            if one.error is not None:
                show_error(one.error, as_json=False)
            if one.quarantine is not None:
                place = shlex.quote(str(one.quarantine))
                click.echo(f"it was put aside: dpps ingest quarantine show {visible(place)}", err=True)
    return errors[0].exit_code if errors else 0
