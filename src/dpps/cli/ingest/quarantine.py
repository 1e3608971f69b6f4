"""``dpps ingest quarantine``: what was found wrong, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpps.cli.output import confirm, emit_json, emit_table, json_option, state_folder, state_option, visible

if TYPE_CHECKING:
    from dpps.data.quarantine_reasons import QuarantinedFile
    from dpps.domain.principals import Principal

__all__ = ["quarantine"]

_handover_option = click.option(
    "--handover", type=click.Path(path_type=Path), help="Hand-over folder; default: that of the system."
)
_COLUMNS = ["quarantined_at", "code", "bytes", "path"]


@click.group()
def quarantine() -> None:
    """See files that were found wrong, and decide about them."""


@quarantine.command("list")
@click.argument("folder", metavar="[HANDOVER]", required=False, type=click.Path(path_type=Path))
@_handover_option
@json_option
@state_option
def list_files(folder: Path | None, handover: Path | None, as_json: bool) -> None:
    """List the quarantined files of a hand-over folder."""
    from dpps.data.quarantine_reasons import list_quarantined

    principal, root = _who_and_where(folder or handover)
    rows = [_row(one) for one in list_quarantined(principal, root)]
    if as_json:
        emit_json(rows)
    else:
        emit_table(_COLUMNS, rows, empty=f"nothing is in the quarantine of {visible(str(root))}")


@quarantine.command()
@click.argument("file")
@_handover_option
@json_option
@state_option
def show(file: str, handover: Path | None, as_json: bool) -> None:
    """Say everything about one quarantined FILE: its path here or where it was handed over, or its name."""
    from dpps.data.quarantine_reasons import find_quarantined

    principal, root = _who_and_where(handover, file)
    row = _row(find_quarantined(principal, root, file))
    if as_json:
        emit_json(row)
        return
    for key, value in row.items():
        click.echo(f"{key.replace('_', ' '):15} {visible(str(value))}")


@quarantine.command()
@click.argument("file")
@_handover_option
@click.option("--discard", is_flag=True, help="Delete the file for good instead of trying it again.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@json_option
@state_option
def release(file: str, handover: Path | None, discard: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Give a mended FILE back to its place, with its trigger: the next pass tries it again."""
    from dpps.data.quarantine_reasons import find_quarantined
    from dpps.data.quarantine_release import discard_quarantined, release_quarantined

    principal, root = _who_and_where(handover, file)
    found = find_quarantined(principal, root, file)
    if discard and not dry_run and not yes:
        confirm(f"delete {visible(str(found.path))} for good?")
    if not dry_run and discard:
        discard_quarantined(principal, root, file)
    elif not dry_run:
        release_quarantined(principal, root, file)
    done = "discarded" if discard else "released"
    if as_json:
        emit_json({**_row(found), "outcome": f"would be {done}" if dry_run else done})
        return
    place = found.path if discard else root / found.handed
    click.echo(f"{'would be ' if dry_run else ''}{done}: {visible(str(place))}")


def _who_and_where(handover: Path | None, file: str = "") -> tuple[Principal, Path]:
    """Return who asks, and the hand-over folder: the named one, that in which the file lies, the system's."""
    from dpps.composition.ingest import handover_root
    from dpps.composition.principals import local_principal
    from dpps.data.handover import require_handover
    from dpps.data.quarantine_reasons import quarantine_root

    folder = state_folder()
    if handover is None and not Path(file).is_relative_to(handover_root(folder)):
        handover = quarantine_root(Path(file))
    root = handover_root(folder, handover)
    require_handover(root)
    return local_principal(folder), root


def _row(one: QuarantinedFile) -> dict[str, object]:
    return {
        "path": str(one.path),
        "handed_over_as": one.handed,
        "code": one.code,
        "reason": one.reason,
        "next_step": one.next_step,
        "quarantined_at": one.quarantined_at.isoformat(timespec="seconds"),
        "bytes": one.size_bytes,
        "adler32": one.adler32,
        "software": one.software,
    }
