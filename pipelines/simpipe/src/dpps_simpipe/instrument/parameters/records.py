"""A parameter's value for one instrument, in the JSON form that simtools' model repositories use."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import astropy.units as u

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound
from dpps_simpipe.instrument.parameters.definitions import Definition, Entry, definition_of

__all__ = ["Parameter", "UnknownParameter", "file_names", "parse_parameter", "read_documents"]

#: Telescopes, designs and sites as simtools names them (``common_definitions.schema.yml``).
_INSTRUMENT = re.compile(r"[LMS]ST[NSx]-([0-9]{2,3}|design|FlashCam|NectarCam)|OBS-(North|South)")
_VERSION = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,100}")
_GREATEST_NUMBER = 1e100
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}")
_SITES = ("North", "South")
_KEYS = frozenset(
    {
        *("file", "instrument", "parameter", "site", "type", "unit", "value", "parameter_version"),
        *("schema_version", "model_parameter_schema_version", "unique_id", "meta_parameter"),
    }
)
#: No parameter file of a model is larger.
_MAX_BYTES = 20_000_000
#: Version of the form of parameter files that is written.
_FORM = "0.4.0"


class UnknownParameter(InvalidInput):
    """A parameter has no definition."""

    default_code = "simpipe.parameter-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value with its unit, for one instrument.

    Parameters
    ----------
    instrument : str
        Telescope (LSTN-01), design (LSTN-design) or site (OBS-North).
    name, version : str
        Of the parameter.
    value : object
        Number, word, file name, list or dictionary, in the unit of the definition.
    site : str or tuple of str
        Where it holds.
    rest : mapping
        Further keys of the file, kept as they were.
    """

    instrument: str
    name: str
    version: str
    value: Any
    site: str | tuple[str, ...]
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def definition(self) -> Definition:
        """What the parameter is.

        Raises
        ------
        UnknownParameter
            It has no definition.
        """
        found = definition_of(self.name)
        if found is None:
            raise UnknownParameter(f"there is no parameter {self.name!r}", parameter=self.name)
        return found

    @property
    def first(self) -> Any:
        """The value, or the first element of a list."""
        return self.value[0] if isinstance(self.value, list) else self.value

    def number(self, unit: str) -> float:
        """Give the (first) value in a unit.

        Parameters
        ----------
        unit : str
            Unit, in astropy's words.

        Returns
        -------
        float
            Value; that of the definition's own unit is not touched.
        """
        own = self.definition.entries[0].unit
        return float(self.first) if own == unit else float((self.first * u.Unit(own)).to_value(unit))

    @property
    def shown(self) -> str:
        """Value with unit, for people."""
        values = self.value if isinstance(self.value, list) else [self.value]
        units = [entry.unit for entry in self.definition.entries]
        if all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
            words = [f"{one:.8g} {unit}".rstrip() for one, unit in zip(values, units, strict=False)]
            return ", ".join(words)
        return json.dumps(self.value) if isinstance(self.value, list | dict) else str(self.value)

    @property
    def document(self) -> dict[str, Any]:
        """The parameter as a JSON document of simtools' form."""
        entries = self.definition.entries
        units = [entry.unit or None for entry in entries]
        several = isinstance(self.value, list) and len(set(units)) > 1
        return {
            "schema_version": _FORM,
            "parameter": self.name,
            "instrument": self.instrument,
            "site": list(self.site) if isinstance(self.site, tuple) else self.site,
            "parameter_version": self.version,
            "unique_id": None,
            "value": self.value,
            "unit": units[: len(self.value)] if several else units[0],
            "type": entries[0].type,
            "file": self.definition.is_file,
            "model_parameter_schema_version": self.definition.version,
            **self.rest,
        }


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Read the parameters of a JSON file.

    Parameters
    ----------
    path : Path
        File with one parameter, or a list of them.

    Returns
    -------
    list of dict
        Documents, not yet checked.

    Raises
    ------
    NotFound
        There is no such file.
    DamagedFile
        It is no JSON, or no parameters.
    """
    if not path.is_file():
        raise NotFound(f"parameter file {path} does not exist", code="simpipe.parameter-missing", path=path)
    wrong = ""
    found: Any = None
    if path.stat().st_size > _MAX_BYTES:
        wrong = f"is larger than {_MAX_BYTES} bytes"
    else:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            wrong = f"is no JSON: {error}"
    documents = found if isinstance(found, list) else [found]
    if not wrong and not all(isinstance(one, dict) and "parameter" in one for one in documents):
        wrong = "holds no model parameter (no key `parameter`)"
    if wrong:
        raise DamagedFile(
            f"{path} {wrong}",
            code="simpipe.parameter-unreadable",
            next_step="Give files in the form of simtools' model parameters (JSON).",
            path=path,
        )
    return documents


def _refused(document: Mapping[str, Any], where: str, reason: str) -> InvalidInput:
    name = f"{document.get('instrument')}/{document.get('parameter')}"
    return InvalidInput(
        f"{where}: {name}: {reason}",
        code="simpipe.parameter-invalid",
        next_step="Correct this value; dpps-simpipe model show gives those in use.",
        parameter=name,
    )


def _shape_fault(document: Mapping[str, Any]) -> str:
    """Say what is wrong with the keys around the value; empty: nothing."""
    unknown = sorted(set(document) - _KEYS)
    missing = sorted({"instrument", "parameter", "parameter_version", "value"} - set(document))
    sites = document.get("site")
    listed = sites if isinstance(sites, list) else [sites]
    for is_wrong, reason in (
        (unknown, f"unknown key {', '.join(map(str, unknown))}"),
        (missing, f"no key {', '.join(missing)}"),
        (not _matches(_NAME, document.get("parameter")), "the parameter's name is not one of simtools"),
        (
            not _matches(_INSTRUMENT, document.get("instrument")),
            "the instrument's name is not one of simtools",
        ),
        (not _matches(_VERSION, document.get("parameter_version")), "parameter_version is not like 1.0.0"),
        (not listed or any(one not in _SITES for one in listed), "site is not North or South"),
    ):
        if is_wrong:
            return reason
    return ""


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def parse_parameter(document: Mapping[str, Any], where: str) -> tuple[Parameter, str]:
    """Check a parameter against its definition.

    Parameters
    ----------
    document : mapping
        Of a parameter file.
    where : str
        Name of the file, for messages.

    Returns
    -------
    tuple of Parameter and str
        The parameter in the unit of its definition, and what was converted (empty: nothing).

    Raises
    ------
    UnknownParameter
        No definition has its name.
    InvalidInput
        A key, a type, a unit or a value is wrong; names the parameter.
    """
    fault = _shape_fault(document)
    if fault:
        raise _refused(document, where, fault)
    definition = definition_of(document["parameter"])
    if definition is None:
        raise UnknownParameter(
            f"{where}: {document['instrument']}/{document['parameter']}: no such parameter is defined",
            next_step="Check its name; the catalogue is that of simtools and of this simulator.",
        )
    try:
        value, converted = _checked_value(document["value"], document.get("unit"), definition)
    except ValueError as error:
        raise _refused(document, where, str(error)) from error
    site = document["site"]
    parameter = Parameter(
        instrument=document["instrument"],
        name=definition.name,
        version=document["parameter_version"],
        value=value,
        site=tuple(site) if isinstance(site, list) else site,
        rest={key: document[key] for key in ("unique_id", "meta_parameter") if document.get(key) is not None},
    )
    return parameter, converted


def _units(unit: object, number: int) -> list[str]:
    """Give one unit for each value; simtools writes one word, a list, or words between commas."""
    words = unit if isinstance(unit, list) else [] if unit is None else str(unit).split(",")
    cleaned = ["" if word in (None, "", "dimensionless") else str(word).strip() for word in words] or [""]
    if len(cleaned) == 1:
        cleaned *= number
    if len(cleaned) < number:
        raise ValueError(f"has {len(cleaned)} units for {number} values")
    return cleaned


def _checked_value(value: Any, unit: object, definition: Definition) -> tuple[Any, str]:
    """Check a value, element by element; give it in the definition's units."""
    kind = definition.entries[0].type
    if kind in ("dict", "data_table"):
        if not isinstance(value, dict | list):
            raise ValueError(f"is {value!r}, not a dictionary or list")
        return value, ""
    listed = value if isinstance(value, list) else [value]
    needed = sum(not entry.may_be_absent for entry in definition.entries)
    if not max(needed, 1) <= len(listed) <= len(definition.entries):
        raise ValueError(f"has {len(listed)} values, not {len(definition.entries)}")
    units = _units(unit, len(listed))
    checked = [
        _element(one, found, entry)
        for one, found, entry in zip(listed, units, definition.entries, strict=False)
    ]
    foreign = [
        f"{one:g} {found} is {new:g} {entry.unit}"
        for one, new, found, entry in zip(listed, checked, units, definition.entries, strict=False)
        if entry.unit and u.Unit(found) != u.Unit(entry.unit)
    ]
    return (checked if isinstance(value, list) else checked[0]), ", ".join(foreign)


def _element(value: Any, unit: str, entry: Entry) -> Any:
    if entry.type == "boolean":
        if not isinstance(value, bool) and value not in (0, 1):
            raise ValueError(f"is {value!r}, not true or false")
        return bool(value)
    if entry.type in ("string", "file"):
        return _word(value, entry)
    return _number(value, unit, entry)


def _word(value: Any, entry: Entry) -> str:
    if not isinstance(value, str) or not value or len(value) > 200:
        raise ValueError(f"is {value!r}, not a word")
    if entry.allowed and value not in entry.allowed:
        raise ValueError(f"is {value!r}, not one of {', '.join(entry.allowed)}")
    if entry.type == "file" and not _matches(_FILE, value):
        raise ValueError(f"is {value!r}, not the name of a file beside it")
    return value


def _number(value: Any, unit: str, entry: Entry) -> float | int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) < _GREATEST_NUMBER:
        raise ValueError(f"is {str(value)[:80]!r}, not a finite number")
    converted = _converted(value, unit, entry)
    if entry.type in ("int64", "uint64"):
        if converted != int(converted) or (entry.type == "uint64" and converted < 0):
            raise ValueError(
                f"is {value!r}, not {'a whole' if entry.type == 'int64' else 'a counting'} number"
            )
        converted = int(converted)
    low, high = entry.minimum, entry.maximum
    if (low is not None and converted < low) or (high is not None and converted > high):
        raise ValueError(
            f"is {converted:g} {entry.unit}".rstrip()
            + f", outside of {'…' if low is None else f'{low:g}'} to {'…' if high is None else f'{high:g}'}"
        )
    return converted


def _converted(value: float, unit: str, entry: Entry) -> float:
    if unit == entry.unit:
        return value
    if not entry.unit or not unit:
        raise ValueError(f"has the unit {unit or 'none'}, not {entry.unit or 'none'}")
    try:
        return float((value * u.Unit(unit)).to_value(entry.unit))
    except (ValueError, u.UnitConversionError) as error:
        raise ValueError(f"has the unit {unit}, which does not convert to {entry.unit}") from error


def file_names(parameters: Sequence[Parameter]) -> list[str]:
    """Give the files that parameters name, below the folder of a model's files.

    Parameters
    ----------
    parameters : sequence of Parameter
        Parameters.

    Returns
    -------
    list of str
        ``instrument/name``, each once, sorted.
    """
    return sorted({f"{one.instrument}/{one.value}" for one in parameters if one.definition.is_file})
