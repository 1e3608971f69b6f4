"""What parameters there are: type, unit, range and meaning of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

__all__ = ["Column", "Definition", "Entry", "definition_of", "definitions"]

type Origin = Literal["simtools", "dpps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One element of a parameter's value.

    Parameters
    ----------
    type : str
        float64, int64, uint64, boolean, string, file, dict or data_table.
    unit : str
        Of the model; empty: none.
    minimum, maximum : float or None
        Limits of what is allowed.
    allowed : tuple of str
        Allowed words; empty: any.
    may_be_absent : bool
        Whether a shorter value may leave it out.
    """

    type: str
    unit: str
    minimum: float | None
    maximum: float | None
    allowed: tuple[str, ...]
    may_be_absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name, unit : str
        Unit is that of the model.
    minimum, maximum : float or None
        Limits of what is allowed.
    required : bool
        Whether a table must have it.
    """

    name: str
    unit: str
    minimum: float | None
    maximum: float | None
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A parameter of the instrument and site model.

    Parameters
    ----------
    name, version, description : str
        Of the parameter; version of its definition.
    level : str
        Site, Structure, Camera, …
    origin : str
        ``simtools``: published with simtools; ``dpps``: of this simulator alone.
    entries : tuple of Entry
        Elements of the value.
    columns : tuple of Column
        Of a parameter that is a table.
    """

    name: str
    version: str
    description: str
    level: str
    origin: Origin
    entries: tuple[Entry, ...]
    columns: tuple[Column, ...]

    @property
    def is_file(self) -> bool:
        """Whether the value is the name of a file."""
        return self.entries[0].type == "file"


def _unit(entry: Mapping[str, Any]) -> str:
    unit = entry.get("unit", "")
    return "" if unit == "dimensionless" else unit


def _entry(entry: Mapping[str, Any]) -> Entry:
    return Entry(
        type=entry["type"],
        unit=_unit(entry),
        minimum=entry.get("min"),
        maximum=entry.get("max"),
        allowed=tuple(entry.get("allowed_values", ())),
        may_be_absent=entry["has_default"] or entry.get("required") is False,
    )


def _column(column: Mapping[str, Any]) -> Column:
    return Column(
        name=column["name"],
        unit=_unit(column),
        minimum=column.get("min"),
        maximum=column.get("max"),
        required=column.get("required", False),
    )


def _catalogue(origin: Origin) -> dict[str, Definition]:
    path = files("dpps_simpipe.instrument").joinpath("resources", "parameters", f"{origin}.json")
    return {
        name: Definition(
            name=name,
            version=entry["version"],
            description=entry["description"],
            level=entry["level"],
            origin=origin,
            entries=tuple(map(_entry, entry["entries"])),
            columns=tuple(map(_column, entry.get("columns", ()))),
        )
        for name, entry in json.loads(path.read_text(encoding="utf-8")).items()
    }


@lru_cache(maxsize=1)
def definitions() -> Mapping[str, Definition]:
    """Give all parameters: those of simtools 0.38.3 (BSD-3-Clause) and those of this simulator alone.

    Returns
    -------
    mapping of str to Definition
        By name.
    """
    return _catalogue("simtools") | _catalogue("dpps")


def definition_of(name: str) -> Definition | None:
    """Give a parameter's definition.

    Parameters
    ----------
    name : str
        Name.

    Returns
    -------
    Definition or None
        None: no such parameter.
    """
    return definitions().get(name)
