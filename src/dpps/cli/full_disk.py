"""A full disk shows as all kinds of failures; here it is named as what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from dpps.domain.errors import StorageFull, Unavailable

__all__ = ["explained", "is_full"]

_FULL_BYTES = 16 * 1024**2
"""With less, neither the database nor the logs can be written for long."""


def is_full(root: Path) -> bool:
    """Tell whether the disk that holds a folder is full; a folder that is not there tells nothing."""
    return root.exists() and shutil.disk_usage(root).free < _FULL_BYTES


def explained(error: Unavailable, root: Path) -> Unavailable | StorageFull:
    """Return the error that names the full disk below a system as the cause, or the error itself.

    Parameters
    ----------
    error : Unavailable
        A part of the system did not answer.
    root : Path
        Its state folder.
    """
    if not is_full(root):
        return error
    return StorageFull(
        f"the disk of {root} is full: {error.message}",
        next_step=f"make room (df -h {root}), then see whether all is well: dpps status",
        path=root,
    )
