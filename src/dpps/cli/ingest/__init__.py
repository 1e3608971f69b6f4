"""``dpps ingest``: takes a folder, or the name of a command."""

from __future__ import annotations

from typing import Any

import click

from dpps.cli.lazy import CommandTable, LazyGroup

__all__ = ["ingest"]

_TAKE = "take"
_COMMANDS: CommandTable = {
    _TAKE: ("dpps.cli.ingest.taking", "take", "Take the announced files of HANDOVER (may be left out)."),
    "quarantine": ("dpps.cli.ingest.quarantine", "quarantine", "See and decide about quarantined files."),
}


class _FolderOrCommand(LazyGroup):
    """A group whose first word is one of its commands, or else the folder to take files from."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command that takes files first, where none is named."""
        if not args or args[0] not in (*self.list_commands(ctx), "--help", "-h"):
            args = [_TAKE, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show both ways."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] [HANDOVER]")
        formatter.write_usage(ctx.command_path, "quarantine COMMAND …", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the options of the command that takes files, then the commands."""
        take = self.get_command(ctx, _TAKE)
        if take is not None:
            options = [one for one in take.get_params(ctx) if isinstance(one, click.Option)]
            shown = [one.get_help_record(ctx) for one in options]
            with formatter.section("Options"):
                formatter.write_dl([record for record in shown if record is not None])
        self.format_commands(ctx, formatter)


@click.group(cls=_FolderOrCommand, table=_COMMANDS)
def ingest(**_: Any) -> None:
    """Take the announced files of a hand-over folder into the archive: in one pass, or for ever.

    A file is announced by <file>.trigger beside it: a symbolic link to it, or an empty file. Raw streams
    (.fits.fz, .fits) belong under <vo>/<scope>/DL0/ in the folder; sim_telarray files may lie anywhere.
    A file that is wrong itself is moved to quarantine, with its reason. A folder named like a command is
    given as ./<folder>.
    """
