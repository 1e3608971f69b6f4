"""Submit one value of the model: a number with its unit, a word, or a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpps.domain.errors import InvalidInput, NotFound
from dpps_simpipe.instrument.importing import Given, ImportReport, NewVersion, new_version
from dpps_simpipe.instrument.parameters import (
    Definition,
    check_table,
    definition_of,
    parse_parameter,
)
from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["submit_parameter"]

_SITES = {"N": "North", "S": "South"}


def _definition(name: str) -> Definition:
    found = definition_of(name)
    if found is None:
        raise NotFound(
            f"there is no parameter {name!r}",
            code="simpipe.parameter-unknown",
            next_step="dpps-simpipe model show lists those in use; the others are those of simtools.",
            parameter=name,
        )
    return found


def _refused(instrument: str, name: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{instrument}/{name}: {reason}",
        code="simpipe.parameter-invalid",
        next_step="Give --value with --unit, or --file for a table.",
        parameter=f"{instrument}/{name}",
    )


def _read_word(word: str, kind: str) -> Any:
    """Read a word of the command line as its parameter's type."""
    if kind == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(word.lower(), word)
    if kind in ("string", "file"):
        return word
    try:
        return int(word) if kind in ("int64", "uint64") else float(word)
    except ValueError:
        # The check that follows says what is wrong with it.
        return word


def _sites(instrument: str) -> str | list[str]:
    """Tell the site from the name: OBS-North, LSTN-01, MSTx-NectarCam (both)."""
    if instrument.startswith("OBS-"):
        return instrument.removeprefix("OBS-")
    return _SITES.get(instrument[3:4], ["North", "South"])


def _next_version(base: InstrumentModel, instrument: str, name: str) -> str:
    """Give the version after that of the value before; 1.0.0 where there is none."""
    before = base.parameters.get((instrument, name))
    if before is None:
        return "1.0.0"
    major, minor, _ = before.version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def submit_parameter(
    base: InstrumentModel,
    output: Path,
    told: NewVersion,
    *,
    instrument: str,
    name: str,
    values: Sequence[str] = (),
    unit: str = "",
    table: Path | None = None,
) -> tuple[InstrumentModel, ImportReport]:
    """Make a version of the model with one other value.

    Parameters
    ----------
    base : InstrumentModel
        The model before.
    output : Path
        Folder of the new version; must not exist.
    told : NewVersion
        What is said of the version.
    instrument, name : str
        Of what, and which parameter.
    values : sequence of str
        Numbers or words.
    unit : str
        Of the numbers; empty: none.
    table : Path or None
        ECSV table, for a parameter that is one.

    Returns
    -------
    tuple of InstrumentModel and ImportReport
        The version, and what happened.

    Raises
    ------
    NotFound
        There is no such parameter or table.
    InvalidInput
        The value, its unit or the table is wrong, or contradicts another value. Nothing is written.
    Conflict
        The output is there.
    """
    definition = _definition(name)
    if definition.is_file is (table is None) or bool(values) is (table is not None):
        raise _refused(instrument, name, f"is {'a table' if definition.is_file else 'no table'}")
    if definition.entries[0].type in ("dict", "data_table"):
        raise _refused(instrument, name, "is a structure: import its parameter file")
    kinds = [entry.type for entry in definition.entries]
    if table is not None:
        check_table(table, definition)
        read: Any = table.name
    else:
        words = [_read_word(word, kinds[min(index, len(kinds) - 1)]) for index, word in enumerate(values)]
        read = words if len(words) > 1 or len(kinds) > 1 else words[0]
    document = {
        "parameter": name,
        "instrument": instrument,
        "site": _sites(instrument),
        "parameter_version": _next_version(base, instrument, name),
        "value": read,
        "unit": unit or None,
    }
    parameter, converted = parse_parameter(document, "submitted")
    report = ImportReport(converted=[f"{instrument}/{name}: {converted}"] if converted else [])
    given = Given(parameter=parameter, path=table or output, asset=table)
    return new_version(base, [given], told, output, report), report
