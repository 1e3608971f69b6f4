"""How input files are divided into tasks: a table of named groupings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile
from dpps.workload.definition import TransformationDefinition

__all__ = ["GROUPINGS", "GroupKey", "Grouping", "divide", "keyed_groups"]

GroupKey = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One way of dividing files.

    A new one is a line in `GROUPINGS`: a function from a file to the key of its group.
    """

    key: Callable[[ArchivedFile], GroupKey]
    """Files with equal keys become one task."""
    needs_all: bool
    """Whether all inputs must be there before the first task can be made."""
    description: str


def _metadata_key(*names: str) -> Callable[[ArchivedFile], GroupKey]:
    def key(file: ArchivedFile) -> GroupKey:
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


def keyed_groups(by: str, files: Sequence[ArchivedFile]) -> dict[GroupKey, tuple[ArchivedFile, ...]]:
    """Divide files into groups by key, in the order of the files.

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
    groups: dict[GroupKey, list[ArchivedFile]] = {}
    for file in files:
        groups.setdefault(grouping.key(file), []).append(file)
    return {key: tuple(members) for key, members in groups.items()}


def divide(
    step: TransformationDefinition, files: Mapping[str, Sequence[ArchivedFile]]
) -> list[Mapping[str, tuple[ArchivedFile, ...]]]:
    """Return the input files of each task, by input.

    The groups of the driving input make the tasks. An input grouped by ``all`` goes whole to every task;
    one with the same grouping as the driving input gives each task the files with the task's key.

    Parameters
    ----------
    step : TransformationDefinition
        The transformation.
    files : mapping
        All files of each input.

    Raises
    ------
    InvalidInput
        When a file lacks what it is grouped by, or a task finds no files for an input.
    """
    driver = step.driver
    if driver is None:
        raise InvalidInput(
            f"transformation {step.name!r}: a table lists its tasks, its inputs make none",
            code="tasks-listed",
            next_step="leave 'tasks' out to have inputs divided",
        )
    by = step.inputs[driver].group.by
    others = {name: given.group.by for name, given in step.inputs.items() if name != driver}
    matched = {name: keyed_groups(by, files[name]) for name, other in others.items() if other == by != "all"}
    tasks: list[Mapping[str, tuple[ArchivedFile, ...]]] = []
    for key, group in keyed_groups(by, files[driver]).items():
        inputs = {driver: group}
        for name in others:
            inputs[name] = matched[name].get(key, ()) if name in matched else tuple(files[name])
            if not inputs[name]:
                raise InvalidInput(
                    f"transformation {step.name!r}: input {name!r} has no file that belongs to "
                    f"{group[0].lfn} (grouped by {by}: {', '.join(str(part) for part in key)})",
                    code="group-incomplete",
                    next_step="complete the archive, or narrow the query of the driving input",
                    lfn=group[0].lfn,
                )
        tasks.append(inputs)
    return tasks
