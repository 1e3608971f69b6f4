"""Folders of unfinished work: who began it may go on, nobody else."""

from collections.abc import Sequence
from pathlib import Path

from dpps.domain.errors import Conflict

__all__ = ["claim"]


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
