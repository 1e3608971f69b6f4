"""``dpps data``: everything that people do with the archive."""

from __future__ import annotations

import click

from dpps.cli.lazy import CommandTable, LazyGroup

__all__ = ["data"]

_COMMANDS: CommandTable = {
    "ls": ("dpps.cli.data.reading", "list_path", "List what is directly below a path."),
    "info": ("dpps.cli.data.reading", "info", "Say everything about one file."),
    "find": ("dpps.cli.data.finding", "find", "Find files by metadata and patterns of names."),
    "keys": ("dpps.cli.data.finding", "keys", "List the metadata keys that queries can name."),
    "lineage": ("dpps.cli.data.finding", "lineage", "Show what a file was made from, or what of it."),
    "dataset": ("dpps.cli.data.datasets", "dataset", "Keep queries under a name."),
    "package": ("dpps.cli.data.package", "package", "Export, verify and import packages of files."),
    "get": ("dpps.cli.data.getting", "get", "Retrieve files: the nearest good copy, verified."),
    "put": ("dpps.cli.data.put", "put", "Store files: as products, or for a time."),
    "extend": ("dpps.cli.data.put", "extend", "Keep temporary files longer, or let them go earlier."),
    "audit": ("dpps.cli.data.audit", "audit", "Integrity: copies read back, damage, alarms, dark files."),
    "policy": ("dpps.cli.data.policy", "policy", "The preservation policy: show, check, explain, apply."),
    "preserve": ("dpps.cli.data.preserve", "preserve", "Free on-site copies that are safe elsewhere."),
    "why": ("dpps.cli.why", "data_why", "Explain where a file is, where it should be, what happens next."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def data() -> None:
    """Store, list, find, inspect and retrieve files of the archive."""
