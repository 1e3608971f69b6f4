"""``dpps transfer limit|limits|share|pause|resume``."""

from __future__ import annotations

from typing import Any

import click

from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option
from dpps.cli.site import show_change

__all__ = ["limit", "limits", "pause", "resume", "share"]

_link = click.option(
    "--link", nargs=2, metavar="SOURCE DESTINATION", required=True, help="Sites at the two ends."
)
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")


@click.command()
@click.option("--link", nargs=2, metavar="SOURCE DESTINATION", help="Sites at the two ends.")
@click.option("--storage", metavar="RSE", help="A site.")
@click.option("--active", type=click.IntRange(min=1), help="Files at the same time on the link.")
@click.option("--inbound", type=click.IntRange(min=0), help="Files written at the same time; 0: no limit.")
@click.option("--outbound", type=click.IntRange(min=0), help="Files read at the same time; 0: no limit.")
@click.option("--none", "lift", is_flag=True, help="Lift the limit of the link.")
@_dry_run
@json_option
@state_option
def limit(
    link: tuple[str, str] | None,
    storage: str | None,
    active: int | None,
    inbound: int | None,
    outbound: int | None,
    lift: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Limit how many files move at the same time: on a link, or from and to a storage."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.transfer_steering import limit_link, limit_storage

    folder = state_folder()
    if (link is None) == (storage is None):
        raise click.UsageError("give either --link SOURCE DESTINATION or --storage RSE")
    if link and (active is None) == (not lift):
        raise click.UsageError("give either --active N or --none")
    if storage and inbound is None and outbound is None:
        raise click.UsageError("give --inbound N, --outbound N, or both")
    with open_sites(folder) as parts:
        principal = local_principal(folder)
        if link:
            change = limit_link(principal, parts, *link, active, dry_run=dry_run)
        else:
            change = limit_storage(
                principal, parts, storage or "", inbound=inbound, outbound=outbound, dry_run=dry_run
            )
    show_change(change, as_json=as_json)


@click.command()
@json_option
@state_option
def limits(as_json: bool) -> None:
    """Show all limits, shares and bans."""
    from dpps.composition.instance import Instance
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.transfer_steering import read_limits

    folder = state_folder()
    with open_sites(folder) as parts:
        rows: list[dict[str, Any]] = [
            {"kind": one.kind, "of": one.subject, "value": one.value}
            for one in read_limits(local_principal(folder), parts, Instance.load(folder).vo)
        ]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["kind", "of", "value"], rows, empty="nothing is limited")


@click.command()
@click.argument("activity")
@click.argument("weight", type=click.FloatRange(min=0), required=False)
@click.option("--none", "lift", is_flag=True, help="Remove the weight of the activity.")
@_dry_run
@json_option
@state_option
def share(activity: str, weight: float | None, lift: bool, dry_run: bool, as_json: bool) -> None:
    """Give the transfers of ACTIVITY a WEIGHT among those that wait; "default" is that of all others."""
    from dpps.composition.instance import Instance
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.transfer_steering import share_activity

    folder = state_folder()
    if (weight is None) == (not lift):
        raise click.UsageError("give either a WEIGHT or --none")
    with open_sites(folder) as parts:
        change = share_activity(
            local_principal(folder), parts, Instance.load(folder).vo, activity, weight, dry_run=dry_run
        )
    show_change(change, as_json=as_json)


@click.command()
@_link
@click.option("--reason", required=True, help="Why: shown to everybody who asks.")
@_dry_run
@json_option
@state_option
def pause(link: tuple[str, str], reason: str, dry_run: bool, as_json: bool) -> None:
    """Move nothing from one site to another until the link is resumed."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.site_operations import pause_link

    folder = state_folder()
    with open_sites(folder) as parts:
        change = pause_link(local_principal(folder), parts, *link, reason, dry_run=dry_run)
    show_change(change, as_json=as_json)


@click.command()
@_link
@_dry_run
@json_option
@state_option
def resume(link: tuple[str, str], dry_run: bool, as_json: bool) -> None:
    """Let files move on a paused link again."""
    from dpps.composition.principals import local_principal
    from dpps.composition.sites import open_sites
    from dpps.data.site_operations import resume_link

    folder = state_folder()
    with open_sites(folder) as parts:
        change = resume_link(local_principal(folder), parts, *link, dry_run=dry_run)
    show_change(change, as_json=as_json)
