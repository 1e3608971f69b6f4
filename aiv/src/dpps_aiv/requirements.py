"""Use cases and requirements: the model of `requirements/*.yaml`, and its strict reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dpps_aiv.documents import read_yaml, validation_problems
from dpps_aiv.errors import AivError
from dpps_aiv.identifiers import did_you_mean, is_use_case, normalise, sort_key

_NEXT_STEP = "mend the named file, then run `dpps-aiv check`"

Identifier = Annotated[str, AfterValidator(normalise)]


class Kind(StrEnum):
    """What an entry is."""

    USE_CASE = "use case"
    REQUIREMENT = "requirement"


class VerificationMethod(StrEnum):
    """How it is shown that an entry is met."""

    TEST = "test"
    INSPECTION = "inspection"
    DEMONSTRATION = "demonstration"
    ANALYSIS = "analysis"


class Requirement(BaseModel):
    """One use case or requirement."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: Identifier = Field(description="Identifier, with or without the prefix `DPPS-`")
    kind: Kind = Field(description="Whether the entry is a use case or a requirement")
    title: str = Field(min_length=1, description="A few words")
    text: str = Field(min_length=1, description="What must be possible, in our own words")
    parents: tuple[Identifier, ...] = Field(
        default=(), description="Entries that this one refines; their verdict includes this one's"
    )
    verification: VerificationMethod = Field(description="How it is shown that the entry is met")
    release: str = Field(
        pattern=r"^\d+\.\d+\.\d+$", description="First release that meets the entry, as a text: '0.1.0'"
    )

    @model_validator(mode="after")
    def _kind_fits_identifier(self) -> Self:
        expected = Kind.USE_CASE if is_use_case(self.id) else Kind.REQUIREMENT
        if self.kind is not expected:
            message = f"kind is {self.kind.value!r}, but {self.id} is the identifier of a {expected.value}"
            raise ValueError(message)
        return self


class RequirementsFile(BaseModel):
    """One file of `requirements/`: the entries of one subsystem."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    subsystem: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="The name of the file without `.yaml`")
    requirements: tuple[Requirement, ...] = Field(min_length=1, description="The entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Everything that `requirements/` holds, checked as a whole.

    Attributes
    ----------
    directory
        Where they were read.
    entries
        Identifier to entry, in the order in which people number them.
    subsystems
        Identifier to subsystem.
    """

    directory: Path
    entries: Mapping[str, Requirement]
    subsystems: Mapping[str, str]

    def children(self) -> dict[str, list[str]]:
        """Give for every identifier those that name it as a parent."""
        children: dict[str, list[str]] = {identifier: [] for identifier in self.entries}
        for entry in self.entries.values():
            for parent in entry.parents:
                children[parent].append(entry.id)
        return children


def load_requirements(directory: Path) -> Requirements:
    """Read and check a folder of requirements.

    Raises
    ------
    AivError
        With every problem found: unreadable or misspelt files, unknown keys,
        duplicate ids, unknown parents, cycles of parents.
    """
    if not directory.is_dir():
        raise AivError(
            [f"{directory}: there is no such folder of requirements"],
            next_step="name the folder that holds the requirements (`--requirements DIR`, in pytest "
            "`--requirements-dir DIR` or the ini option `requirements_dir`)",
        )
    paths = sorted(path for path in directory.iterdir() if path.suffix in {".yaml", ".yml"})
    if not paths:
        raise AivError([f"{directory}: holds no requirements (*.yaml)"], next_step=_NEXT_STEP)
    problems: list[str] = []
    found: dict[str, Requirement] = {}
    files: dict[str, Path] = {}
    for path in paths:
        for entry in _entries_of(path, problems):
            if entry.id in found:
                problems.append(f"{path}: {entry.id}: is already defined in {files[entry.id]}")
                continue
            found[entry.id] = entry
            files[entry.id] = path
    # Entries of a file that was refused are missing: their absence would be reported as noise.
    problems = problems or [*_unknown_parents(found, files)] or [*_cycles(found, files)]
    if problems:
        raise AivError(problems, next_step=_NEXT_STEP)
    ordered = sorted(found, key=sort_key)
    return Requirements(
        directory=directory,
        entries={identifier: found[identifier] for identifier in ordered},
        subsystems={identifier: files[identifier].stem for identifier in ordered},
    )


def _entries_of(path: Path, problems: list[str]) -> tuple[Requirement, ...]:
    """Read one file; what is wrong with it is added to `problems`."""
    try:
        document = read_yaml(path, next_step=_NEXT_STEP)
    except AivError as error:
        problems.extend(error.problems)
        return ()
    try:
        file = RequirementsFile.model_validate(document)
    except ValidationError as error:
        problems.extend(validation_problems(str(path), document, error, Requirement, "requirements"))
        return ()
    if file.subsystem != path.stem:
        problems.append(f"{path}: subsystem is {file.subsystem!r}, but the file is named {path.stem!r}")
    return file.requirements


def _unknown_parents(entries: Mapping[str, Requirement], files: Mapping[str, Path]) -> list[str]:
    return [
        f"{files[entry.id]}: {entry.id}: unknown parent {parent!r}{did_you_mean(parent, entries)}"
        for entry in entries.values()
        for parent in entry.parents
        if parent not in entries
    ]


def _cycles(entries: Mapping[str, Requirement], files: Mapping[str, Path]) -> list[str]:
    sorter = TopologicalSorter({entry.id: entry.parents for entry in entries.values()})
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return [f"{files[cycle[0]]}: {cycle[0]}: is its own parent: {' → '.join(cycle)}"]
    return []
