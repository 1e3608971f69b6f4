"""What a production consists of, once its documents are packed: the form that is kept and sent.

Nothing in it points outside: CWL documents are packed, configuration files are inside.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dpps.workload.task_tables import TaskValue

__all__ = [
    "TASK_ROWS_MAX",
    "FileName",
    "Group",
    "Identifier",
    "InputDefinition",
    "OutputDefinition",
    "ProductionDefinition",
    "Resources",
    "TransformationDefinition",
]

TASK_ROWS_MAX = 10_000
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_PRODUCT = re.compile(r"[A-Za-z0-9]+(/[A-Za-z0-9]+){1,3}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]+)+")


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(
            "use 1 to 40 lower-case letters, digits, '-' or '_', beginning with a letter or digit"
        )
    return text


def _product(text: str) -> str:
    if not _PRODUCT.fullmatch(text):
        raise ValueError(
            "write a product type as level/division/association/type, e.g. DL1/Event/Telescope/AirShower"
        )
    return text


def _suffix(text: str) -> str:
    if not _SUFFIX.fullmatch(text):
        raise ValueError("write a suffix like .h5 or .fits.gz")
    return text


def _plain_file_name(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\x00" in name:
        raise ValueError(
            f"{name!r} is no plain file name: it is empty, has a '/', or begins with a full stop"
        )
    return name


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as wrong:
        raise ValueError(f"it is not base64: {wrong}") from wrong
    return text


FileName = Annotated[str, AfterValidator(_plain_file_name)]
Identifier = Annotated[str, AfterValidator(_identifier)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(_Strict):
    """How inputs are divided into tasks."""

    by: str = "each"
    """Name of a grouping: ``each``, ``all``, ``observation``, ``telescope-chunk``."""


class InputDefinition(_Strict):
    """Where the files of one CWL input come from."""

    query: str | None = None
    """Metadata query on the catalogue, evaluated once, when the production is submitted."""
    dataset: str | None = Field(default=None, min_length=1)
    """Named dataset, a stored query or a fixed list; likewise."""
    source: str | None = Field(default=None, alias="from")
    """Output of another transformation of this production: ``<transformation>.<output>``."""
    product: Annotated[str, AfterValidator(_product)] | None = None
    """Product type that its files must be of; None where nothing is said."""
    group: Group = Group()

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    @property
    def origin(self) -> str:
        """What people call the origin of the files."""
        if self.dataset is not None:
            return f"dataset {self.dataset}"
        return self.query if self.query is not None else f"from {self.source}"

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(origin is not None for origin in (self.query, self.dataset, self.source)) != 1:
            raise ValueError("give one of 'query', 'dataset' and 'from', and no other")
        if self.source is not None and len(self.source.split(".")) != 2:
            raise ValueError("write 'from' as <transformation>.<output>")
        return self


class OutputDefinition(_Strict):
    """What one CWL output is, as a product of the observatory."""

    product: Annotated[str, AfterValidator(_product)]
    """Product type: level/division/association/type."""
    suffix: Annotated[str, AfterValidator(_suffix)] = ".h5"
    """Ending of the file name."""


class Resources(_Strict):
    """What a job of a transformation may use."""

    cores: int = Field(default=1, ge=1, le=256)
    memory_bytes: int = Field(default=4_000_000_000, ge=50_000_000)
    """Resident memory of all processes of the job together; more ends it (``memlimit``)."""
    wall_seconds: int = Field(default=86_400, ge=1, le=30 * 86_400)
    """A job that runs longer is ended (``maxjobduration``)."""


class TransformationDefinition(_Strict):
    """One step: a CWL process, where its inputs come from, and what its outputs are."""

    name: Identifier
    process: dict[str, Any]
    """Packed CWL document."""
    inputs: dict[str, InputDefinition] = Field(default_factory=dict)
    task_table: tuple[dict[str, TaskValue], ...] = Field(default=(), max_length=TASK_ROWS_MAX)
    """One task a row (`dpps.workload.task_tables`); empty where the groups of an input make the tasks."""
    outputs: dict[str, OutputDefinition] = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Values of the other CWL inputs, the same for every task; a configuration file is
    ``{"class": "File", "location": "<name in configuration_files>"}``."""
    configuration_files: dict[FileName, Annotated[str, AfterValidator(_base64)]] = Field(default_factory=dict)
    """Content of small files by name, base64."""
    resources: Resources = Resources()
    environment: Identifier = "pipelines"
    pass_number: int = Field(default=1, ge=1, le=999)
    """Part of the names of the products: 1 for the first processing, one more for each reprocessing."""

    @model_validator(mode="after")
    def _makes_tasks(self) -> Self:
        if not self.inputs and not self.task_table:
            raise ValueError("give 'inputs' whose files make the tasks, or 'tasks', a table of them")
        if any(set(row) != set(self.task_table[0]) for row in self.task_table):
            raise ValueError("all rows of the table of tasks must have the same columns")
        return self

    def task_row(self, number: int) -> Mapping[str, TaskValue]:
        """Return what the table says of a task, which is counted from 1; nothing where there is no table."""
        return self.task_table[number - 1] if self.task_table else {}

    @property
    def driver(self) -> str | None:
        """Input whose groups make the tasks: the first that is not taken whole by every task.

        None where a table lists the tasks.
        """
        if self.task_table:
            return None
        grouped = [name for name, given in self.inputs.items() if given.group.by != "all"]
        return grouped[0] if grouped else next(iter(self.inputs))

    @property
    def sources(self) -> frozenset[str]:
        """Names of the transformations that this one reads from."""
        return frozenset(given.source.split(".")[0] for given in self.inputs.values() if given.source)


class ProductionDefinition(_Strict):
    """A whole production."""

    production: Identifier
    priority: int = Field(default=5, ge=0, le=9)
    """Greater runs first."""
    transformations: tuple[TransformationDefinition, ...] = Field(min_length=1)
