"""Groups of commands whose modules are imported when a command is called: it keeps ``--help`` fast."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["CommandTable", "LazyGroup"]

type CommandTable = Mapping[str, tuple[str, str, str]]
"""Name of a command → its module, the attribute there, one line for ``--help``."""


class LazyGroup(click.Group):
    """A group that imports its commands on use.

    Parameters
    ----------
    table : CommandTable
        The commands, in the order of ``--help``.
    """

    def __init__(self, *arguments: Any, table: CommandTable, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None for an unknown one."""
        if cmd_name not in self._table:
            return None
        module, attribute, _ = self._table[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, _, short) in self._table.items()])
