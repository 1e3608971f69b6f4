"""``dpps data audit``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.counting import counting
from dpps.cli.lazy import CommandTable, LazyGroup
from dpps.cli.output import (
    confirm,
    emit_json,
    emit_table,
    json_option,
    show_error,
    state_folder,
    state_option,
    visible,
)

if TYPE_CHECKING:
    from dpps.composition.preservation import PreservationParts
    from dpps.data.audit.comparing import Survey
    from dpps.data.ports import Catalogue, StorageElement
    from dpps.domain.errors import DppsError

__all__ = ["acknowledge", "alarms", "audit", "dark", "dark_list", "dark_remove", "events", "status"]

_HERE = "dpps.cli.data.audit"
_COMMANDS: CommandTable = {
    "status": (_HERE, "status", "Say how far the audit is, by storage."),
    "alarms": (_HERE, "alarms", "List files without a good copy."),
    "ack": (_HERE, "acknowledge", "Answer for an alarm, with a reason."),
    "events": (_HERE, "events", "List what the audit found and did."),
    "dark": (_HERE, "dark", "Files that the catalogue does not know."),
}
_DARK: CommandTable = {
    "list": (_HERE, "dark_list", "List files that the catalogue does not know."),
    "remove": (_HERE, "dark_remove", "Delete some of them."),
}


@click.group(cls=LazyGroup, table=_DARK)
def dark() -> None:
    """Files at the storages that the catalogue does not know."""


@contextmanager
def _parts() -> Iterator[PreservationParts]:
    from contextlib import closing

    from dpps.composition.preservation import build_preservation

    with closing(build_preservation(state_folder())) as parts:
        parts.prepare()
        yield parts


@click.group(cls=LazyGroup, table=_COMMANDS, invoke_without_command=True)
@click.option("--rse", help="This storage only.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Copies of each.")
@click.option("--all", "everything", is_flag=True, help="Copies that are not due yet, too.")
@json_option
@state_option
@click.pass_context
def audit(context: click.Context, rse: str | None, limit: int, everything: bool, as_json: bool) -> int:
    """Read copies back, compare storages with the catalogue, have damage repaired.

    Without a command: reads the copies that are due, now and not throttled.
    """
    if context.invoked_subcommand is not None:
        return 0
    return _run(rse, limit, everything=everything, as_json=as_json)


def _run(rse: str | None, limit: int, *, everything: bool, as_json: bool) -> int:
    from dataclasses import replace
    from datetime import timedelta

    from dpps.data.audit.comparing import take_stock
    from dpps.data.audit.records import CopyOutcome
    from dpps.data.audit.verifying import audit_pass
    from dpps.domain.errors import DamagedFile

    rows: list[dict[str, Any]] = []
    with _parts() as parts, counting("audit", quiet=as_json) as count:
        archive = parts.connect()
        elements = [one for one in archive.catalogue.storage_elements() if rse in (None, one.rse)]
        _refuse_unknown(rse, [one.rse for one in elements])
        for dataset in archive.catalogue.datasets():
            take_stock(archive.catalogue, archive.control, dataset)
        period = timedelta(0) if everything else parts.audit.period
        settings = replace(parts.audit, period=period, retry=timedelta(0), copies_per_round=limit)
        for found in audit_pass(
            parts.principal,
            archive.catalogue,
            archive.control,
            settings,
            rses=[one.rse for one in elements],
            pause=lambda _seconds: None,
        ):
            rows.append(
                {"outcome": found.outcome.value, "rse": found.rse, "lfn": str(found.lfn)}
                | {"problem": found.problem}
            )
            count(found.lfn.basename, None)
        surveys, outages = _surveyed(parts, archive.catalogue, elements)
    _emit_found(rows, surveys, outages, as_json=as_json)
    if any(row["outcome"] in (CopyOutcome.DAMAGED, CopyOutcome.LOST) for row in rows):
        return DamagedFile.exit_code
    if outages:
        return next(iter(outages.values())).exit_code
    return DamagedFile.exit_code if _wrong(rows) else 0


def _surveyed(
    parts: PreservationParts, catalogue: Catalogue, elements: Sequence[StorageElement]
) -> tuple[list[Survey], dict[str, DppsError]]:
    """List the storages; one that is away hinders neither the others nor the report of what was found."""
    from dpps.data.audit.comparing import survey_storage
    from dpps.domain.errors import DppsError

    surveys: list[Survey] = []
    outages: dict[str, DppsError] = {}
    for element in elements:
        try:
            survey = survey_storage(
                parts.principal,
                catalogue,
                parts.listing,
                parts.findings,
                element,
                parts.reader.clock,
                parts.dark(),
            )
        except DppsError as outage:
            outages[element.rse] = outage
        else:
            surveys.append(survey)
    return surveys, outages


def _emit_found(
    rows: Sequence[Mapping[str, Any]],
    surveys: Sequence[Survey],
    outages: Mapping[str, DppsError],
    *,
    as_json: bool,
) -> None:
    wrong = _wrong(rows)
    if as_json:
        listed = [{"rse": one.rse, "files": one.files, "unknown": one.unknown} for one in surveys]
        away = [{"rse": rse, "error": outage.as_dict()} for rse, outage in outages.items()]
        emit_json({"read": len(rows), "wrong": wrong, "storages": listed, "not_listed": away})
        return
    emit_table(["outcome", "rse", "lfn", "problem"], wrong, empty=f"{len(rows)} copies are intact")
    for one in surveys:
        click.echo(f"{one.rse}: {one.files} files, {one.unknown} unknown to the catalogue", err=True)
    for outage in outages.values():
        show_error(outage, as_json=False)


def _wrong(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["outcome"] != "intact"]


def _refuse_unknown(rse: str | None, found: list[str]) -> None:
    from dpps.domain.errors import NotFound

    if rse is not None and not found:
        raise NotFound(
            f"the catalogue knows no storage {rse!r}",
            code="rse-unknown",
            next_step="list them: dpps site list",
            rse=rse,
        )


@click.command()
@json_option
@state_option
def status(as_json: bool) -> None:
    """Say how far the audit is, by storage, and how many datasets have what the policy asks."""
    from dataclasses import asdict

    from dpps.domain.principals import Action, authorize

    with _parts() as parts:
        authorize(parts.principal, Action.READ, "the audit")
        summaries, now, period = parts.evidence.summaries(), parts.reader.clock(), parts.audit.period
        rows = [asdict(one) | {"behind": one.is_behind(period, now)} for one in summaries]
        settled, unsettled = parts.states.counts()
        standing = len(parts.findings.alarms())
    if as_json:
        datasets = {"settled": settled, "unsettled": unsettled}
        emit_json({"storages": rows, "datasets": datasets, "alarms": standing})
        return
    columns = ["rse", "copies", "intact", "unverified", "damaged", "lost", "unreadable", "oldest_at"]
    emit_table(columns, rows, empty="no copy is known yet")
    click.echo(f"datasets: {settled} settled, {unsettled} unsettled; alarms: {standing}", err=True)
    for row in (one for one in rows if one["behind"]):
        click.echo(
            f"behind: {row['rse']} has copies last read at {row['oldest_read_at']}, longer ago than "
            f"the period of {period.days} days: raise DPPS_PRESERVATION_AUDIT_BYTES_PER_SECOND, "
            "if the storages can give more",
            err=True,
        )


@click.command()
@json_option
@state_option
def alarms(as_json: bool) -> None:
    """List files without a good copy; an alarm goes when the file is good again."""
    from dataclasses import asdict

    from dpps.domain.principals import Action, authorize

    with _parts() as parts:
        authorize(parts.principal, Action.READ, "alarms")
        rows = [asdict(one) for one in parts.findings.alarms()]
    if as_json:
        emit_json(rows)
    else:
        columns = ["number", "raised_at", "lfn", "reason", "acknowledged_by", "acknowledgement"]
        emit_table(columns, rows, empty="every file has a good copy, as far as was read")


@click.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="What was found out, and what is done about it.")
@json_option
@state_option
def acknowledge(number: int, reason: str, as_json: bool) -> None:
    """Answer for alarm NUMBER; it stays listed, with the answer, until the file is good again."""
    from dpps.domain.errors import NotFound
    from dpps.domain.principals import Action, authorize

    with _parts() as parts:
        authorize(parts.principal, Action.OPERATE, f"alarm {number}")
        known = parts.findings.acknowledge(number, parts.principal.name, reason, parts.reader.clock())
    if not known:
        raise NotFound(
            f"no alarm {number} stands",
            code="alarm-unknown",
            next_step="list them: dpps data audit alarms",
            number=number,
        )
    if as_json:
        emit_json({"number": number, "acknowledged": True})
    else:
        click.echo(f"alarm {number} is answered")


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
@state_option
def events(limit: int, as_json: bool) -> None:
    """List what the audit found and did, the newest first."""
    from dataclasses import asdict

    from dpps.domain.principals import Action, authorize

    with _parts() as parts:
        authorize(parts.principal, Action.READ, "events")
        rows = [asdict(one) for one in parts.findings.events(limit)]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["at", "kind", "rse", "name", "text"], rows, empty="nothing has happened yet")


@click.command()
@click.option("--rse", help="This storage only.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many.")
@click.option(
    "--after",
    nargs=2,
    metavar="RSE URL",
    help="The page behind this file, with which the page before ended.",
)
@json_option
@state_option
def dark_list(rse: str | None, limit: int, after: tuple[str, str] | None, as_json: bool) -> None:
    """List files that the catalogue has not known for the grace period, a page at a time.

    JSON says whether there is more, and how the next page is asked for.
    """
    from dataclasses import asdict

    from dpps.data.audit.dark_page import dark_page

    with _parts() as parts:
        before = parts.reader.clock() - parts.dark_grace
        page = dark_page(parts.principal, parts.findings, before, limit=limit, rse=rse, after=after)
    rows = [asdict(one) for one in page.files]
    behind = page.next_after
    if as_json:
        key = None if behind is None else dict(zip(("rse", "url"), behind, strict=True))
        emit_json({"files": rows, "more": behind is not None, "next": key})
        return
    emit_table(["rse", "first_seen_at", "temporary", "url"], rows, empty="no file is dark")
    if behind is not None:
        click.echo(f"there is more: --after {visible(shlex.join(behind))}", err=True)


@click.command()
@click.argument("urls", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted.")
@json_option
@state_option
def dark_remove(urls: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Delete dark files, by their URLs; those that the catalogue knows by now are kept."""
    from dpps.data.audit.comparing import remove_dark

    with _parts() as parts:
        archive = parts.connect()
        if not (yes or dry_run):
            confirm(f"delete {len(urls)} files for ever?")
        removed = remove_dark(
            parts.principal, archive.catalogue, archive.control, parts.dark(), urls, dry_run=dry_run
        )
    rows = [{"url": url, "removed": not dry_run} for url in removed]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["url"], rows, empty="nothing was deleted: the catalogue knows these files now")
