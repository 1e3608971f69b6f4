"""Folders of unfinished work: who began it may go on, nobody else."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dpps.domain.errors import Conflict
from dpps_simpipe.durable import put_in_place

__all__ = ["claimed", "sweep"]

_DONE = ".done"


@contextmanager
def claimed(parts: Path, fingerprint: str, outputs: Sequence[Path]) -> Iterator[Path]:
    """Make a folder of unfinished work, or go on in that of this description; remove it when all is done.

    An interruption leaves the folder. Only one process at a time has it.

    Parameters
    ----------
    parts : Path
        The folder.
    fingerprint : str
        Of the description and the software.
    outputs : sequence of Path
        Files that nobody else may have written before the work begins.

    Yields
    ------
    Path
        `parts`.

    Raises
    ------
    Conflict
        The folder belongs to another description or is in use, holds files of unknown origin, or an output is
        there without it.
    """
    _claim(parts, fingerprint, outputs)
    descriptor = _lock(parts)
    try:
        yield parts
        _release(parts)
    finally:
        os.close(descriptor)


def _lock(parts: Path) -> int:
    """Keep others away until the descriptor is closed, at the latest with the end of the process."""
    try:
        descriptor = os.open(parts, os.O_RDONLY)
    except FileNotFoundError as error:
        raise _in_use(parts) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had it may have ended between the two calls: the folder has gone then.
        held = os.path.samestat(os.fstat(descriptor), parts.stat())
    except (BlockingIOError, FileNotFoundError) as error:
        os.close(descriptor)
        raise _in_use(parts) from error
    if not held:
        os.close(descriptor)
        raise _in_use(parts)
    return descriptor


def _in_use(parts: Path) -> Conflict:
    return Conflict(
        f"another process works in {parts}",
        code="simpipe.parts-in-use",
        next_step="Wait until it ends, then call again.",
        path=parts,
    )


def _claim(parts: Path, fingerprint: str, outputs: Sequence[Path]) -> None:
    mark = parts / "description.sha256"
    if mark.is_file():
        if mark.read_text(encoding="ascii") == fingerprint:
            return
        raise Conflict(
            f"{parts} holds unfinished work of another description",
            code="simpipe.parts-of-another-observation",
            next_step=f"Remove {parts} or choose another output.",
            path=parts,
        )
    beginning = mark.with_name(f".{mark.name}.part")
    if parts.is_dir() and any(path != beginning for path in parts.iterdir()):
        raise Conflict(
            f"{parts} holds files, and not of which description they are",
            code="simpipe.parts-of-another-observation",
            next_step=f"Remove {parts} or choose another output.",
            path=parts,
        )
    for path in outputs:
        if path.exists():
            raise Conflict(
                f"{path} exists",
                code="simpipe.output-exists",
                next_step="Choose another output, or another obs_id.",
                path=path,
            )
    parts.mkdir(parents=True, exist_ok=True)
    beginning.write_text(fingerprint, encoding="ascii")
    put_in_place(beginning, mark)


def _release(parts: Path) -> None:
    """Give up the folder of finished work at once: half removed it would look like work of somebody else."""
    sweep(parts)
    parts.rename(parts.with_name(f"{parts.name}{_DONE}"))
    sweep(parts)


def sweep(parts: Path) -> None:
    """Remove what an interrupted removal left, and the folder above when it is empty.

    Parameters
    ----------
    parts : Path
        The folder, of which only a remnant under another name may be left.
    """
    done = parts.with_name(f"{parts.name}{_DONE}")
    if done.is_dir():
        shutil.rmtree(done)
    if parts.parent.is_dir() and not any(parts.parent.iterdir()):
        parts.parent.rmdir()
