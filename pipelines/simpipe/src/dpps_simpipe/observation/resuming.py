"""Folders of unfinished work: who began it may go on, nobody else."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from dpps.domain.errors import Conflict

__all__ = ["claim", "release", "sweep"]

_DONE = ".done"


def claim(parts: Path, fingerprint: str, outputs: Sequence[Path]) -> Path:
    """Make a folder of unfinished work, or make sure that it belongs to this description.

    Parameters
    ----------
    parts : Path
        The folder.
    fingerprint : str
        Of the description and the software.
    outputs : sequence of Path
        Files that nobody else may have written before the work begins.

    Returns
    -------
    Path
        `parts`.

    Raises
    ------
    Conflict
        The folder belongs to another description, or an output is there without it.
    """
    mark = parts / "description.sha256"
    if mark.is_file():
        if mark.read_text(encoding="ascii") == fingerprint:
            return parts
        raise Conflict(
            f"{parts} holds unfinished work of another description",
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
    unfinished = mark.with_name(f".{mark.name}.part")
    unfinished.write_text(fingerprint, encoding="ascii")
    unfinished.replace(mark)
    return parts


def release(parts: Path) -> None:
    """Give up the folder of finished work: at once, however often the call is interrupted.

    Parameters
    ----------
    parts : Path
        The folder. Half removed it would look like work of somebody else.
    """
    sweep(parts)
    parts.rename(parts.with_name(f"{parts.name}{_DONE}"))
    sweep(parts)


def sweep(parts: Path) -> None:
    """Remove what an interrupted `release` left, and the folder above when it is empty.

    Parameters
    ----------
    parts : Path
        The folder, which is released already.
    """
    done = parts.with_name(f"{parts.name}{_DONE}")
    if done.is_dir():
        shutil.rmtree(done)
    if parts.parent.is_dir() and not any(parts.parent.iterdir()):
        parts.parent.rmdir()
