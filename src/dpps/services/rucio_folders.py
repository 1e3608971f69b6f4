"""Deletion in storages that are folders: an empty mount point is an outage, not a storage without files.

Rucio's own POSIX protocol says of a file in a folder that is not mounted that it is gone, and the reaper
then forgets the copy: once mounted again, it would lie there for ever, known to nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dpps.composition.state import StateFolder
from dpps.composition.storage_marks import is_there, storage_marks

__all__ = ["guard_deletions"]


def guard_deletions(folder: StateFolder) -> None:
    """Let this process delete in marked folders only while they show their marks."""
    from rucio.common.exception import ServiceUnavailable
    from rucio.rse.protocols import posix

    unguarded = posix.Default.delete

    def delete(protocol: Any, pfn: str) -> None:
        path = Path(protocol.pfn2path(pfn))
        for root, mark in storage_marks(folder).items():
            if path.is_relative_to(root) and not is_there(root, mark):
                raise ServiceUnavailable(f"the storage {root} is not there")
        unguarded(protocol, pfn)

    posix.Default.delete = delete
