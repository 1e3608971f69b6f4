"""``dpps data``: everything that people do with the archive."""

from __future__ import annotations

import click

from dpps.cli.lazy import CommandTable, LazyGroup

__all__ = ["data"]

_COMMANDS: CommandTable = {
    "ls": ("dpps.cli.data.reading", "list_path", "List what is directly below a path."),
    "info": ("dpps.cli.data.reading", "info", "Say everything about one file."),
    "find": ("dpps.cli.data.reading", "find", "Find files by metadata."),
    "get": ("dpps.cli.data.reading", "get", "Retrieve files: the nearest good copy, verified."),
    "preserve": ("dpps.cli.data.reading", "preserve", "Free on-site copies that are safe elsewhere."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def data() -> None:
    """List, find, inspect and retrieve archived files."""
