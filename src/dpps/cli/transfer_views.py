"""``dpps transfer ls|watch|show|history``."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from rich.table import Table

    from dpps.data.transfers.service import MovedFile, ServiceLink

__all__ = ["history", "list_files", "show", "watch"]

_STATES = ("SUBMITTED", "ACTIVE", "FINISHED", "FAILED", "CANCELED")
_COLUMNS = ["state", "from", "to", "activity", "attempts", "name", "reason"]
_LINK_COLUMNS = ["from", "to", "active", "queued", "MB/s", "failed"]


@click.command("ls")
@click.option("--status", "wanted", type=click.Choice(_STATES), help="Only transfers in this state.")
@click.option("--rse", help="Only from or to this site.")
@click.option("--activity", help="Only of this activity.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True, help="Newest jobs.")
@json_option
@state_option
def list_files(wanted: str | None, rse: str | None, activity: str | None, limit: int, as_json: bool) -> None:
    """List transfers that wait or move, or those in a state."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.transfer_steering import list_transfers

    folder = state_folder()
    with open_sites(folder) as parts:
        files = list_transfers(
            local_principal(folder), parts, state=wanted, rse=rse, activity=activity, limit=limit
        )
    rows = [_row(one) for one in files]
    if as_json:
        emit_json(rows)
    else:
        emit_table(_COLUMNS, rows, empty="nothing waits or moves" if wanted is None else f"none is {wanted}")


def _row(file: MovedFile) -> dict[str, Any]:
    return {
        "job": file.job_id,
        "state": file.state,
        "from": file.metadata.get("src_rse", file.source),
        "to": file.metadata.get("dst_rse", file.destination),
        "activity": file.metadata.get("activity", ""),
        "attempts": file.attempts,
        "name": file.metadata.get("name", file.destination),
        "reason": file.reason,
        "submitted_at": file.submitted_at,
        "started_at": file.started_at,
        "finished_at": file.finished_at,
        "bytes": file.size_bytes,
    }


@click.command()
@click.argument("job")
@json_option
@state_option
def show(job: str, as_json: bool) -> None:
    """Show the files of a JOB and every attempt that failed."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_transfers
    from dpps.data.transfer_steering import show_job

    folder = state_folder()
    with open_transfers(folder) as service:
        found = show_job(local_principal(folder), service, job)
    rows: list[dict[str, Any]] = [
        {
            **_row(file),
            "failures": [{"attempt": one.attempt, "at": one.at, "reason": one.reason} for one in failures],
        }
        for file, failures in found
    ]
    if as_json:
        emit_json(rows)
        return
    emit_table(_COLUMNS, rows, empty="the job has no files")
    failures = [one | {"name": row["name"]} for row in rows for one in row["failures"]]
    if failures:
        emit_table(["name", "attempt", "at", "reason"], failures, empty="")


@click.command()
@click.option("--lfn", help="Only of this file.")
@click.option("--since", type=click.DateTime(), help="Only those that ended since (UTC).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@state_option
def history(lfn: str | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List attempts, the newest first: when, from where, how many bytes, how they ended."""
    from datetime import UTC

    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_transfers
    from dpps.data.transfer_steering import list_attempts

    folder = state_folder()
    after = since.replace(tzinfo=UTC) if since else None
    with open_transfers(folder) as service:
        found = list_attempts(local_principal(folder), service, lfn=lfn, since=after, limit=limit)
    rows = [
        {
            "ended": f"{one.finished_at:%Y-%m-%d %H:%M:%S}",
            "seconds": round((one.finished_at - one.started_at).total_seconds(), 3),
            "attempt": one.number,
            "outcome": one.outcome,
            "bytes": one.size_bytes,
            "class": one.failure,
            "name": one.name or one.destination,
            "source": one.source,
            "reason": one.reason,
        }
        for one in found
    ]
    if as_json:
        emit_json(rows)
    else:
        emit_table(
            ["ended", "seconds", "attempt", "outcome", "bytes", "class", "name", "reason"],
            rows,
            empty=f"no attempt on {lfn} is remembered" if lfn else "nothing was attempted",
        )


@click.command()
@click.option("--every", type=click.FloatRange(min=0.2), default=2.0, show_default=True, help="Seconds.")
@click.option("--count", type=click.IntRange(min=1), help="Look so many times, then end.")
@json_option
@state_option
def watch(every: float, count: int | None, as_json: bool) -> None:
    """Show live what every link does: a table on a terminal, lines when piped. End it with Ctrl-C."""
    from dpps.composition.instance import Instance
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_transfers
    from dpps.data.transfer_steering import read_links
    from dpps.data.transfers.lanes import storage_name

    folder = state_folder()
    principal = local_principal(folder)
    named = {storage_name(one.url_prefix): one.rse for one in Instance.load(folder).sites}
    live = sys.stdout.isatty() and not as_json
    with open_transfers(folder) as service, _Screen(live=live) as screen:
        looks = 0
        while count is None or looks < count:
            if looks:
                time.sleep(every)
            looks += 1
            rows = [_link_row(one, named, 60.0) for one in read_links(principal, service, 60.0)]
            screen.show(rows, as_json=as_json)


def _link_row(link: ServiceLink, named: dict[str, str], seconds: float) -> dict[str, Any]:
    return {
        "from": named.get(link.source, link.source),
        "to": named.get(link.destination, link.destination),
        "active": link.active,
        "queued": link.queued,
        "MB/s": round(link.size_bytes / seconds / 1e6, 2),
        "failed": link.failed,
    }


class _Screen:
    """A table that changes in place, or lines one after the other."""

    def __init__(self, *, live: bool) -> None:
        from rich.live import Live

        self._live = Live(auto_refresh=False) if live else None

    def __enter__(self) -> _Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, rows: list[dict[str, Any]], *, as_json: bool) -> None:
        """Show what links did in the last minute."""
        if as_json:
            emit_json(rows)
        elif self._live is None:
            emit_table(_LINK_COLUMNS, rows, empty="no link has anything to do")
        else:
            self._live.update(_table(rows), refresh=True)


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(title="links, last 60 s", box=None, header_style="bold")
    for column in _LINK_COLUMNS:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row[column]) for column in _LINK_COLUMNS))
    return table
