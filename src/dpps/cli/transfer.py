"""``dpps transfer``: what moves, what moved, and how much may."""

from __future__ import annotations

from typing import Any

import click

from dpps.cli.lazy import CommandTable, LazyGroup

__all__ = ["transfer"]

_STEERING = "dpps.cli.transfer_steering"
_VIEWS = "dpps.cli.transfer_views"
_COMMANDS: CommandTable = {
    "ls": (_VIEWS, "list_files", "List transfers that wait or move, or those of a state."),
    "watch": (_VIEWS, "watch", "Show live what every link does."),
    "show": (_VIEWS, "show", "Show one job: its files, and every attempt that failed."),
    "history": (_VIEWS, "history", "List attempts: when, from where, how many bytes, how they ended."),
    "limit": (_STEERING, "limit", "Limit how many files move on a link, or at a storage."),
    "limits": (_STEERING, "limits", "Show all limits, shares and bans."),
    "share": (_STEERING, "share", "Set the weight of an activity."),
    "pause": (_STEERING, "pause", "Move nothing from one site to another."),
    "resume": (_STEERING, "resume", "Let files move on a paused link again."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def transfer() -> Any:
    """Look at transfers; limit, share and pause them."""
