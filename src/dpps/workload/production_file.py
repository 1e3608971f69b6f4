"""Reading a production file: YAML as people write it, turned into a definition that points nowhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dpps.domain.errors import InvalidInput
from dpps.workload.definition import (
    TASK_ROWS_MAX,
    Identifier,
    InputDefinition,
    OutputDefinition,
    ProductionDefinition,
    Resources,
    TransformationDefinition,
)
from dpps.workload.ports import ProcessDescription, Processes
from dpps.workload.task_tables import TaskValue, parse_task_table

__all__ = ["ProductionFile", "TransformationEntry", "read_production"]

_CONFIGURATION_BYTES_MAX = 1_000_000


class TransformationEntry(BaseModel):
    """One entry of ``transformations`` in a production file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Identifier
    cwl: str
    """Path of the CWL document, relative to the production file."""
    inputs: dict[str, InputDefinition] = Field(default_factory=dict)
    tasks: str | None = None
    """Path of a table with one task a row, relative to the production file."""
    outputs: dict[str, OutputDefinition] = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Values of the other CWL inputs; for a ``File``, a path relative to the production file."""
    resources: Resources = Resources()
    environment: Identifier = "pipelines"


class ProductionFile(BaseModel):
    """A production file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    production: Identifier
    priority: int = Field(default=5, ge=0, le=9)
    pass_number: int | None = Field(default=None, ge=1, le=999, alias="pass")
    """Pass of all products; by default the first whose names are free."""
    transformations: tuple[TransformationEntry, ...] = Field(min_length=1)


def read_production(path: Path, processes: Processes) -> tuple[ProductionDefinition, bool]:
    """Read a production file with the CWL documents and configuration files that it names.

    Parameters
    ----------
    path : Path
        The YAML file.
    processes : Processes
        Reads the CWL documents.

    Returns
    -------
    definition : ProductionDefinition
        The production, complete in itself.
    pass_is_given : bool
        Whether the file names the pass.

    Raises
    ------
    InvalidInput
        When the file, a document or a configuration file cannot be used; the message names file and key.
    """
    entries = _parse(path)
    steps = [_pack(path, index, entry, processes) for index, entry in enumerate(entries.transformations)]
    given = entries.pass_number
    if given is not None:
        steps = [step.model_copy(update={"pass_number": given}) for step in steps]
    definition = ProductionDefinition(
        production=entries.production, priority=entries.priority, transformations=tuple(steps)
    )
    return definition, given is not None


def _parse(path: Path) -> ProductionFile:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as wrong:
        raise _invalid(path, "", f"it cannot be read: {wrong}") from wrong
    except yaml.YAMLError as wrong:
        raise _invalid(path, "", f"it is not YAML: {' '.join(str(wrong).split())}") from wrong
    if not isinstance(content, dict):
        raise _invalid(path, "", "it must be a mapping with the keys production and transformations")
    try:
        return ProductionFile.model_validate(content)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise _invalid(path, key, _plain(first["type"], first["msg"])) from wrong


def _plain(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind == "missing":
        return "this key is required"
    return message.removeprefix("Value error, ")


def _invalid(path: Path, key: str, why: str) -> InvalidInput:
    place = f"{path}: {key}" if key else f"{path}"
    return InvalidInput(
        f"{place}: {why}",
        code="production-file-invalid",
        next_step="correct the file (keys: docs/user/reference/production-file.md) and submit again",
        path=path,
        key=key,
    )


def _pack(
    path: Path, index: int, entry: TransformationEntry, processes: Processes
) -> TransformationDefinition:
    place = f"transformations.{index}"
    document = path.parent / entry.cwl
    if not document.is_file():
        raise _invalid(path, f"{place}.cwl", f"there is no file {document}")
    process = processes.pack(document)
    description = processes.describe(process)
    files: dict[str, str] = {}
    table = _task_table(path, f"{place}.tasks", entry.tasks)
    if not entry.inputs and not table:
        raise _invalid(path, f"{place}.inputs", "give inputs whose files make the tasks, or a table of tasks")
    parameters = {
        name: _pack_value(path, f"{place}.parameters.{name}", value, _is_file(description, name), files)
        for name, value in entry.parameters.items()
    }
    return TransformationDefinition(
        name=entry.name,
        process=process,
        inputs=entry.inputs,
        task_table=table,
        outputs=entry.outputs,
        parameters=parameters,
        configuration_files=files,
        resources=entry.resources,
        environment=entry.environment,
    )


def _task_table(path: Path, key: str, named: str | None) -> tuple[dict[str, TaskValue], ...]:
    if named is None:
        return ()
    source = path.parent / named
    try:
        table = parse_task_table(source.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise _invalid(path, key, f"{source} cannot be read: {wrong.strerror}") from wrong
    except ValueError as wrong:
        raise _invalid(path, key, f"{source} is no table of tasks: {wrong}") from wrong
    if not 1 <= len(table) <= TASK_ROWS_MAX:
        raise _invalid(path, key, f"{source} has {len(table)} rows; 1 to {TASK_ROWS_MAX} are possible")
    return table


def _is_file(description: ProcessDescription, name: str) -> bool:
    known = description.inputs.get(name)
    return known is not None and bool(known.types & {"File", "File[]"}) and "string" not in known.types


def _pack_value(path: Path, key: str, value: object, is_file: bool, files: dict[str, str]) -> object:
    """Return a parameter with the files that it names put among ``files``."""
    if isinstance(value, list):
        return [_pack_value(path, key, item, is_file, files) for item in cast("Sequence[object]", value)]
    if isinstance(value, Mapping) and value.get("class") == "File":
        named = value.get("path") or value.get("location")
        if set(value) - {"class", "path", "location"} or not isinstance(named, str):
            raise _invalid(path, key, "write a file as {class: File, path: <path>}")
        return _pack_file(path, key, named, files)
    if is_file:
        if not isinstance(value, str):
            raise _invalid(path, key, "the CWL input is a File: give its path")
        return _pack_file(path, key, value, files)
    return value


def _pack_file(path: Path, key: str, named: str, files: dict[str, str]) -> dict[str, str]:
    source = path.parent / named
    try:
        content = source.read_bytes()
    except OSError as wrong:
        raise _invalid(path, key, f"{source} cannot be read: {wrong.strerror}") from wrong
    if len(content) > _CONFIGURATION_BYTES_MAX:
        raise _invalid(
            path,
            key,
            f"{source} has {len(content)} bytes; files above {_CONFIGURATION_BYTES_MAX} are archive inputs",
        )
    if source.name.startswith("."):
        raise _invalid(path, key, f"the name of {source} begins with a full stop; give it another one")
    encoded = base64.b64encode(content).decode()
    if files.setdefault(source.name, encoded) != encoded:
        raise _invalid(path, key, f"two different files are named {source.name}")
    return {"class": "File", "location": source.name}
