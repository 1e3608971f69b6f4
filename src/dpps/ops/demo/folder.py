"""The folder of a demo: one demo at a time, an earlier demo's things removed, anything else left alone."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpps.composition.instance import write_atomically
from dpps.composition.state import StateFolder
from dpps.data.fixity import local_error
from dpps.domain.errors import Conflict
from dpps.ops.lifecycle import stop
from dpps.ops.prepare import open_folder
from dpps.ops.status import ServiceStatus

__all__ = ["claimed_folder", "untold"]

_MARK = "demo.txt"


def untold(_service: ServiceStatus) -> None:
    """Tell nobody: what is stopped here is of no interest to who waits for the demo."""


@contextmanager
def claimed_folder(folder: StateFolder) -> Iterator[None]:
    """Hold a demo's folder for the time of a block, with nothing of an earlier demo in it.

    The mark that tells a demo's folder from others is never removed, so a call that was killed while it
    emptied the folder is finished by the next one.

    Raises
    ------
    Conflict
        When the folder holds something that no demo made, or another demo holds it.
    DppsError
        When the folder cannot be used or emptied.
    """
    root, mark = folder.root, folder.config / _MARK
    is_new = not (root.is_dir() and any(root.iterdir()))
    if not is_new and not mark.exists():
        raise Conflict(
            f"{root} holds something that is not a demo",
            code="demo-folder-taken",
            next_step="name another folder with --state, or remove it yourself",
            path=root,
        )
    open_folder(folder)
    if is_new:
        write_atomically(mark, "made by: dpps demo\n")
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, root)
        if not is_new:
            _empty(folder, mark)
            open_folder(folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        raise Conflict(
            f"another demo runs in {root}",
            code="demo-running",
            next_step="wait for it, or name another folder with --state",
            path=root,
        ) from held


def _empty(folder: StateFolder, mark: Path) -> None:
    """Stop the earlier demo's system and remove everything but the mark."""
    if folder.instance_file.exists():
        stop(folder, report=untold)
    try:
        for path in [*folder.root.iterdir(), *folder.config.iterdir()]:
            if path.is_dir() and not path.is_symlink():
                if path != folder.config:
                    shutil.rmtree(path)
            elif path != mark:
                path.unlink()
    except OSError as failure:
        raise local_error(failure, folder.root) from failure
