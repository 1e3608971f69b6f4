"""Where a file comes from and what was made of it, from the metadata of the files themselves.

``dpps__inputs`` of a product lists the names that its activity read, ``dpps__provenance`` is the whole record
(`dpps.products.provenance`). Both travel with the file, whatever production made it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from dpps.data.ports import Catalogue
from dpps.data.query import Comparison, find_lfns
from dpps.data.visibility import is_visible, visible_file
from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["Direction", "Lineage", "LineageNode", "inputs_of", "trace"]

FILES_MAX = 10_000


class Direction(StrEnum):
    """Which way to look."""

    UP = "up"
    """What it was made from."""
    DOWN = "down"
    """What was made from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """A file in a lineage."""

    name: str
    known: bool
    """False when a record names it but the archive has no such file."""
    activity: str | None = None
    """What made it."""
    software: str | None = None
    production: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Files reached from one, each once."""

    root: str
    direction: Direction
    nodes: Mapping[str, LineageNode]
    """By name; the root is one of them."""
    relations: Mapping[str, tuple[str, ...]]
    """Names one step further, by name; empty at an end."""
    complete: bool
    """False when the depth or the number of files was limited before the ends were reached."""


def trace(
    principal: Principal, catalogue: Catalogue, name: str, direction: Direction, *, depth: int | None = None
) -> Lineage:
    """Follow a file's lineage, level by level.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue : Catalogue
        The archive.
    name : str
        LFN of the file.
    direction : Direction
        Up to what it was made from, or down to what was made from it.
    depth : int, optional
        How many steps; all by default.

    Raises
    ------
    NotAuthorized
        When the principal may not read.
    NotFound
        When no visible file has this name.
    """
    authorize(principal, Action.READ, name)
    root = visible_file(catalogue, Lfn(name))
    nodes = {root.lfn.name: _node(root.lfn.name, root)}
    relations: dict[str, tuple[str, ...]] = {}
    level: list[ArchivedFile] = [root]
    steps = 0
    while level and len(nodes) < FILES_MAX and (depth is None or steps < depth):
        steps += 1
        further: dict[str, None] = {}
        for file in level:
            related = _related(principal, catalogue, file, direction)
            relations[file.lfn.name] = related
            further |= {one: None for one in related if one not in nodes}
        names = list(islice(further, FILES_MAX - len(nodes)))
        files = _look_up(catalogue, names)
        nodes |= {one: _node(one, files.get(one)) for one in names}
        level = [files[one] for one in names if one in files]
    shown = {one: tuple(to for to in further if to in nodes) for one, further in relations.items()}
    complete = not level and shown == relations
    return Lineage(root=root.lfn.name, direction=direction, nodes=nodes, relations=shown, complete=complete)


def inputs_of(file: ArchivedFile) -> tuple[str, ...]:
    """Return the names that a file says it was made from."""
    told = file.metadata.get("dpps__inputs")
    return tuple(dict.fromkeys(map(str, told))) if isinstance(told, list) else ()


def _related(
    principal: Principal, catalogue: Catalogue, file: ArchivedFile, direction: Direction
) -> tuple[str, ...]:
    if direction is Direction.UP:
        return inputs_of(file)
    used = Comparison(key="dpps__inputs", operator="contains", value=file.lfn.name)
    return tuple(lfn.name for lfn in islice(find_lfns(principal, catalogue, used), FILES_MAX))


def _look_up(catalogue: Catalogue, names: Sequence[str]) -> dict[str, ArchivedFile]:
    files = catalogue.files(list(_names(names)))
    return {file.lfn.name: file for file in files if file is not None and is_visible(file)}


def _names(names: Sequence[str]) -> Iterator[Lfn]:
    """Yield those names that a file can have; a record made elsewhere may name others."""
    for name in names:
        try:
            yield Lfn(name)
        except InvalidInput:
            continue


def _node(name: str, file: ArchivedFile | None) -> LineageNode:
    if file is None:
        return LineageNode(name=name, known=False)
    record = _record(file)
    software = record.get("software")
    activity = record.get("activity")
    return LineageNode(
        name=name,
        known=True,
        activity=_text(activity.get("name")) if isinstance(activity, dict) else None,
        software=", ".join(f"{one} {version}" for one, version in software.items())
        if isinstance(software, dict)
        else None,
        production=_text(file.metadata.get("dpps__production")),
    )


def _record(file: ArchivedFile) -> Mapping[str, object]:
    """Return the provenance record, or nothing where another program wrote something else there."""
    try:
        record = json.loads(str(file.metadata.get("dpps__provenance", "{}")))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
