"""How input files are divided into tasks: a table of named groupings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile

__all__ = ["GROUPINGS", "Grouping", "group_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One way of dividing files.

    A new one is a line in `GROUPINGS`: a function from a file to the key of its group.
    """

    key: Callable[[ArchivedFile], tuple[object, ...]]
    """Files with equal keys become one task."""
    needs_all: bool
    """Whether all inputs must be there before the first task can be made."""
    description: str


def _metadata_key(*names: str) -> Callable[[ArchivedFile], tuple[object, ...]]:
    def key(file: ArchivedFile) -> tuple[object, ...]:
        values = tuple(file.metadata.get(name) for name in names)
        missing = [name for name, value in zip(names, values, strict=True) if value is None]
        if missing:
            raise InvalidInput(
                f"{file.lfn} has no metadata {', '.join(missing)}, by which it should be grouped",
                code="group-key-missing",
                next_step="choose another grouping, or a query that leaves such files out",
                lfn=file.lfn,
            )
        return values

    return key


GROUPINGS: Mapping[str, Grouping] = {
    "each": Grouping(
        key=lambda file: (file.lfn.name,), needs_all=False, description="one file a task (default)"
    ),
    "all": Grouping(key=lambda _: (), needs_all=True, description="all files in every task"),
    "observation": Grouping(
        key=_metadata_key("instance__obs_id"),
        needs_all=True,
        description="the files of one observation block (instance__obs_id) a task",
    ),
    "telescope-chunk": Grouping(
        key=_metadata_key("instance__obs_id", "instance__ae_id", "instance__chunk_id"),
        needs_all=True,
        description="the parallel streams of one chunk of one telescope in one observation block a task",
    ),
}


def group_files(by: str, files: Sequence[ArchivedFile]) -> list[tuple[ArchivedFile, ...]]:
    """Divide files into groups, in the order of the files; within a group they stay in order.

    Parameters
    ----------
    by : str
        Name of a grouping.
    files : sequence of ArchivedFile
        In the order of their names.

    Raises
    ------
    InvalidInput
        When there is no such grouping, or a file lacks what it goes by.
    """
    grouping = GROUPINGS.get(by)
    if grouping is None:
        raise InvalidInput(
            f"there is no grouping {by!r}",
            code="grouping-unknown",
            next_step=f"use one of: {', '.join(sorted(GROUPINGS))}",
            grouping=by,
        )
    groups: dict[tuple[object, ...], list[ArchivedFile]] = {}
    for file in files:
        groups.setdefault(grouping.key(file), []).append(file)
    return [tuple(members) for members in groups.values()]
