"""Files that appear when they are complete, and stay so when the machine fails."""

import os
from pathlib import Path

__all__ = ["put_in_place"]


def put_in_place(unfinished: Path, target: Path) -> None:
    """Give a complete file its name; its content is on the disk before.

    Parameters
    ----------
    unfinished : Path
        Closed file in the folder of `target`.
    target : Path
        Its name; a file that has it is replaced.
    """
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(target)
