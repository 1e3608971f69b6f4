"""``dpps site``: how the sites are; drain, pause and resume."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.lazy import CommandTable, LazyGroup
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from dpps.data.site_operations import SiteChange
    from dpps.data.sites import Hold, SiteCondition, SiteParts
    from dpps.domain.principals import Principal

__all__ = ["drain", "list_all", "pause", "resume", "show", "show_change", "site"]

_COMMANDS: CommandTable = {
    "list": ("dpps.cli.site", "list_all", "List the sites: what may be done there, and what is held back."),
    "show": ("dpps.cli.site", "show", "Say everything about one site."),
    "drain": ("dpps.cli.site", "drain", "Place nothing new at a site; what is there stays readable."),
    "pause": ("dpps.cli.site", "pause", "Read, write and delete nothing at a site."),
    "resume": ("dpps.cli.site", "resume", "End the drain and the pause of a site."),
    "why": ("dpps.cli.why", "site_why", "Explain the state of a site and what waits for it."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def site() -> None:
    """Look at sites; drain, pause and resume them."""


@click.command("list")
@json_option
@state_option
def list_all(as_json: bool) -> None:
    """List the sites: what may be done there, how full they are, and what is held back."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.site_operations import list_sites

    folder = state_folder()
    with open_sites(folder) as parts:
        rows = [_row(*one) for one in list_sites(local_principal(folder), parts)]
    if as_json:
        emit_json(rows)
        return
    for row in rows:
        row["held"] = "; ".join(map(_held, row.pop("holds")))
    emit_table(["site", "where", "allowed", "files", "bytes", "held"], rows, empty="there are no sites")


@click.command()
@click.argument("rse")
@json_option
@state_option
def show(rse: str, as_json: bool) -> None:
    """Say everything about the site RSE."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.site_operations import show_site

    folder = state_folder()
    with open_sites(folder) as parts:
        condition, holds = show_site(local_principal(folder), parts, rse)
    facts = {
        **_row(condition, holds),
        "free_bytes": condition.free_bytes,
        "url": condition.url_prefix,
        "copies_by_transfer": condition.copies_by_transfer,
        "attributes": dict(condition.attributes),
    }
    if as_json:
        emit_json(facts)
        return
    holds_shown, attributes = facts.pop("holds"), facts.pop("attributes")
    rows = [{"what": name, "value": value} for name, value in facts.items()]
    rows += [{"what": "held", "value": _held(one)} for one in holds_shown]
    rows += [{"what": name, "value": value} for name, value in sorted(attributes.items())]
    emit_table(["what", "value"], rows, empty="")


def _row(condition: SiteCondition, holds: list[Hold]) -> dict[str, Any]:
    allowed = [name for name, value in asdict(condition.availability).items() if value]
    return {
        "site": condition.rse,
        "where": "on site" if condition.onsite else "off site",
        "allowed": ",".join(allowed) or "nothing",
        "files": condition.files,
        "bytes": condition.used_bytes,
        "holds": [
            {**asdict(one), "kind": one.kind.value, "remembered": dict(one.remembered)} for one in holds
        ],
    }


def _held(hold: dict[str, Any]) -> str:
    link = f" {hold['source']} to {hold['destination']}" if hold["destination"] else ""
    return (
        f"{hold['kind']}{link} by {hold['held_by']} since {hold['held_at']:%Y-%m-%d %H:%M}: {hold['reason']}"
    )


_reason = click.option("--reason", required=True, help="Why: shown to everybody who asks.")
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")


@click.command()
@click.argument("rse")
@_reason
@_dry_run
@json_option
@state_option
def drain(rse: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Place nothing new at the site RSE; what is there stays readable."""
    from dpps.data.site_operations import drain_site

    _change(partial(drain_site, rse=rse, reason=reason, dry_run=dry_run), as_json=as_json)


@click.command()
@click.argument("rse")
@_reason
@_dry_run
@json_option
@state_option
def pause(rse: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Read, write and delete nothing at the site RSE until it is resumed."""
    from dpps.data.site_operations import pause_site

    _change(partial(pause_site, rse=rse, reason=reason, dry_run=dry_run), as_json=as_json)


@click.command()
@click.argument("rse")
@_dry_run
@json_option
@state_option
def resume(rse: str, dry_run: bool, as_json: bool) -> None:
    """End the drain and the pause of the site RSE."""
    from dpps.data.site_operations import resume_site

    _change(partial(resume_site, rse=rse, dry_run=dry_run), as_json=as_json)


def _change(operation: Callable[[Principal, SiteParts], SiteChange], *, as_json: bool) -> None:
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites

    folder = state_folder()
    with open_sites(folder) as parts:
        change = operation(local_principal(folder), parts)
    show_change(change, as_json=as_json)


def show_change(change: SiteChange, *, as_json: bool) -> None:
    """Print what was done, or would be."""
    if as_json:
        emit_json({"subject": change.subject, "done": change.done, "steps": list(change.steps)})
        return
    click.echo(f"{'done' if change.done else 'would be done'}: {change.subject}")
    for step in change.steps:
        click.echo(f"  {step}")
