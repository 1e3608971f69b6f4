"""Marks of the storages whose folders are on this machine: without its mark a folder is not the storage.

A file system that is not mounted leaves an empty folder behind, which can be written to and holds nothing.
Taken for the storage it would swallow copies until the file system is back, and would have lost all others.
A server makes no difference: it serves the empty folder. Each folder holds a mark therefore, and the system
remembers which.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from pathlib import Path

from dpps.adapters.storage.file_urls import MARK
from dpps.composition.instance import write_atomically
from dpps.composition.state import StateFolder

__all__ = ["is_there", "mark_storages", "storage_marks"]


def mark_storages(folder: StateFolder, roots: Iterable[Path]) -> None:
    """Mark folders that were never marked; one that was and shows no mark is not the storage, and is left.

    Parameters
    ----------
    folder : StateFolder
        Where the marks are remembered.
    roots : iterable of Path
        The folders; they exist.
    """
    known = storage_marks(folder)
    for root in roots:
        if root in known:
            continue
        mark = root / MARK
        if not mark.exists():
            # The folder first: killed in between, its mark is found here the next time.
            write_atomically(mark, uuid.uuid4().hex)
        known[root] = mark.read_text()
    write_atomically(_record(folder), json.dumps({str(root): mark for root, mark in known.items()}, indent=1))


def storage_marks(folder: StateFolder) -> dict[Path, str]:
    """Return what each marked folder must show."""
    try:
        found: dict[str, str] = json.loads(_record(folder).read_text())
    except FileNotFoundError:
        return {}
    return {Path(root): mark for root, mark in found.items()}


def is_there(root: Path, mark: str) -> bool:
    """Tell whether a folder shows its mark."""
    try:
        return (root / MARK).read_text() == mark
    except OSError:
        return False


def _record(folder: StateFolder) -> Path:
    return folder.config / "storage-marks.json"
