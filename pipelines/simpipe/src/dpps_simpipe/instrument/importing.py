"""Make a new version of the model from parameter files in simtools' form."""

import filecmp
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from dpps.domain.errors import DppsError, InvalidInput, NotFound
from dpps_simpipe.instrument.consistency import check_model
from dpps_simpipe.instrument.derive import USED_PARAMETERS
from dpps_simpipe.instrument.parameters import (
    Parameter,
    UnknownParameter,
    check_table,
    parse_parameter,
    read_documents,
)
from dpps_simpipe.instrument.store import InstrumentModel
from dpps_simpipe.instrument.writing import write_model

__all__ = ["Given", "ImportReport", "NewVersion", "import_parameters", "new_version", "parameter_files"]

_VERSIONED = re.compile(r"(?P<name>.+)-(?P<version>\d+\.\d+\.\d+)")
#: Where repositories of simulation models keep parameters.
_REPOSITORY = Path("simulation-models", "model_parameters")
#: Faults that a message names; the report has all.
_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """What is said of a version that is made.

    Parameters
    ----------
    version : str
        Of the new model.
    source : str
        Citation or file that the new values are from.
    released, valid_from : date
        Day of the version, and first day of data that it describes (UTC).
    valid_until : date or None
        Last day of data.
    """

    version: str
    source: str
    released: date
    valid_from: date
    valid_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A parameter that was read, and where.

    Parameters
    ----------
    parameter : Parameter
        Checked, in the unit of its definition.
    path : Path
        Its file.
    asset : Path or None
        The file that it names.
    """

    parameter: Parameter
    path: Path
    asset: Path | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Instrument and name."""
        return self.parameter.instrument, self.parameter.name


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What became of parameter files. Each entry names instrument and parameter.

    Parameters
    ----------
    imported, changed : list of str
        Taken over; of these, other than in the model before.
    converted : list of str
        Brought to the unit of the definition.
    unused : list of str
        Taken over, but not used by the simulator.
    older : list of str
        Left out for a newer version of the same parameter.
    unknown : list of str
        Left out: nothing defines them.
    kept : list of str
        Not given for an instrument that is described; the value before stays.
    faults : list of str
        Why nothing was made: wrong, missing or contradictory values.
    """

    imported: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    converted: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def raise_faults(self, where: Path) -> None:
        """Refuse what has faults.

        Raises
        ------
        InvalidInput
            There are faults; names the first of them.
        """
        if not self.faults:
            return
        more = f"; and {len(self.faults) - _TOLD} more" if len(self.faults) > _TOLD else ""
        raise InvalidInput(
            f"{where}: {'; '.join(self.faults[:_TOLD])}{more}",
            code="simpipe.model-invalid",
            next_step="Correct these values; no model was written.",
            path=where,
            faults=self.faults,
        )


def parameter_files(folder: Path) -> list[Path]:
    """List the parameter files of a folder, or of a repository of simulation models.

    Parameters
    ----------
    folder : Path
        Searched with everything below it.

    Returns
    -------
    list of Path
        JSON files, in alphabetical order; none that lies elsewhere by a link.

    Raises
    ------
    NotFound
        There is no such folder, or no such file in it.
    """
    top = (folder / _REPOSITORY if (folder / _REPOSITORY).is_dir() else folder).resolve()
    found = [path for path in sorted(top.rglob("*.json")) if path.resolve().is_relative_to(top)]
    if not found:
        raise NotFound(
            f"{folder} has no parameter files (*.json)",
            code="simpipe.parameters-missing",
            next_step="Give a folder of simtools' model parameters.",
            path=folder,
        )
    return found


def _place_fault(path: Path, parameter: Parameter) -> str:
    """Say where names of file and folder contradict the content; empty: nowhere."""
    named = _VERSIONED.fullmatch(path.stem)
    if named and (named["name"], named["version"]) != (parameter.name, parameter.version):
        return f"{path}: holds {parameter.name} {parameter.version}"
    folder = path.parent.parent.name
    is_sorted = path.parent.name == parameter.name
    if is_sorted and folder != parameter.instrument and ("-" in folder):
        return f"{path}: holds a parameter of {parameter.instrument}"
    return ""


def _asset(path: Path, parameter: Parameter) -> Path | None:
    """Find and check the file that a parameter names: it lies beside it."""
    if not parameter.definition.is_file:
        return None
    asset = path.parent / str(parameter.value)
    if asset.is_symlink():
        raise InvalidInput(f"{asset} is a link", code="simpipe.table-invalid", path=asset)
    check_table(asset, parameter.definition)
    return asset


def _read(path: Path, report: ImportReport) -> Iterable[Given]:
    """Read a file; what is wrong goes to the report."""
    try:
        documents = read_documents(path)
    except DppsError as error:
        report.faults.append(error.message)
        return
    for document in documents:
        try:
            parameter, converted = parse_parameter(document, path.name)
            asset = _asset(path, parameter)
        except UnknownParameter:
            report.unknown.append(f"{document['instrument']}/{document['parameter']}")
            continue
        except DppsError as error:
            report.faults.append(error.message)
            continue
        fault = _place_fault(path, parameter)
        if fault:
            report.faults.append(fault)
        given = Given(parameter=parameter, path=path, asset=asset)
        if converted:
            report.converted.append(f"{'/'.join(given.key)}: {converted}")
        yield given


def _version(given: Given) -> tuple[int, ...]:
    return tuple(map(int, given.parameter.version.split(".")))


def _newest(given: Iterable[Given], report: ImportReport) -> dict[tuple[str, str], Given]:
    """Choose the newest version of each parameter; two values of one version contradict each other."""
    chosen: dict[tuple[str, str], Given] = {}
    for one in sorted(given, key=lambda one: (one.key, _version(one))):
        before = chosen.get(one.key)
        name = "/".join(one.key)
        if before is not None and _version(before) == _version(one):
            if before.parameter.value != one.parameter.value:
                report.faults.append(f"{name}: {before.path.name} and {one.path.name} contradict each other")
        elif before is not None:
            report.older.append(f"{name} {before.parameter.version}")
        chosen[one.key] = one
    return chosen


def _level(instrument: str) -> str:
    if instrument.startswith("OBS-"):
        return "site"
    return "telescope" if instrument.partition("-")[2].isdigit() else "design"


def _account(base: InstrumentModel, given: Mapping[tuple[str, str], Given], report: ImportReport) -> None:
    """Say what is taken over, changed, unused, and kept from before."""
    for (instrument, name), one in given.items():
        text = f"{instrument}/{name}"
        report.imported.append(text)
        before = base.parameters.get((instrument, name))
        if before is None or before.value != one.parameter.value:
            told = "new" if before is None else f"{before.value} -> {one.parameter.value}"
            report.changed.append(f"{text}: {told}")
        if name not in USED_PARAMETERS[_level(instrument)]:
            report.unused.append(text)
    for instrument in dict.fromkeys(instrument for instrument, _ in given):
        for name in USED_PARAMETERS[_level(instrument)]:
            if (instrument, name) in base.parameters and (instrument, name) not in given:
                report.kept.append(f"{instrument}/{name}")


def _sources(base: InstrumentModel, given: Iterable[tuple[str, str]], told: NewVersion) -> dict[str, Any]:
    """Give sources and origins of a model in which some values are from another source."""
    key = f"import-{told.version}"
    origins = {instrument: dict(entry) for instrument, entry in base.origins.items()}
    for instrument, name in given:
        origins.setdefault(instrument, {"*": key})[name] = key
    return {"sources": {**base.sources, key: told.source}, "origins": origins}


def _files(
    base: InstrumentModel,
    parameters: Mapping[tuple[str, str], Parameter],
    chosen: Mapping[tuple[str, str], Given],
    report: ImportReport,
) -> dict[str, Path]:
    """Collect the files that a new version needs; one name must not stand for two contents."""
    files: dict[str, Path] = {}
    for key, parameter in parameters.items():
        if not parameter.definition.is_file:
            continue
        given = chosen.get(key)
        path = base.file(*key) if given is None or given.asset is None else given.asset
        before = files.setdefault(f"{parameter.instrument}/{parameter.value}", path)
        if before is not path and not filecmp.cmp(before, path, shallow=False):
            report.faults.append(f"{'/'.join(key)}: another parameter has another file {parameter.value}")
    return files


def new_version(
    base: InstrumentModel, given: Sequence[Given], told: NewVersion, folder: Path, report: ImportReport
) -> InstrumentModel:
    """Put values into a model and write it as a version of its own.

    Parameters
    ----------
    base : InstrumentModel
        The model before.
    given : sequence of Given
        New values, checked one by one.
    told : NewVersion
        What is said of the version.
    folder : Path
        Where it goes; must not exist.
    report : ImportReport
        Gets what happens.

    Returns
    -------
    InstrumentModel
        The new version.

    Raises
    ------
    InvalidInput
        There are faults; nothing is written.
    Conflict
        The folder is there.
    """
    chosen = _newest(given, report)
    _account(base, chosen, report)
    if told.version == base.version:
        report.faults.append(f"the version {told.version} is that of the model before")
    report.raise_faults(folder)
    parameters = {**base.parameters, **{key: one.parameter for key, one in chosen.items()}}
    files = _files(base, parameters, chosen, report)
    report.raise_faults(folder)
    made = replace(
        base,
        version=told.version,
        released=told.released,
        valid_from=told.valid_from,
        valid_until=told.valid_until,
        parameters=parameters,
        **_sources(base, chosen, told),
    )
    return write_model(made, files, folder, lambda written: _consistent(written, report, folder))


def _consistent(model: InstrumentModel, report: ImportReport, folder: Path) -> None:
    report.faults.extend(check_model(model))
    report.raise_faults(folder)


def import_parameters(
    folder: Path, output: Path, base: InstrumentModel, told: NewVersion
) -> tuple[InstrumentModel, ImportReport]:
    """Make a version of the model from a folder of parameter files.

    Parameters
    ----------
    folder : Path
        Files in simtools' form; tables lie beside the parameter that names them.
    output : Path
        Folder of the new version; must not exist.
    base : InstrumentModel
        Has the values that the folder does not give, and the arrays.
    told : NewVersion
        What is said of the version.

    Returns
    -------
    tuple of InstrumentModel and ImportReport
        The version, and what became of the files.

    Raises
    ------
    NotFound
        There are no parameter files.
    InvalidInput
        Values are wrong, missing or contradictory; names them. Nothing is written.
    Conflict
        The output is there.
    """
    report = ImportReport()
    given = [one for path in parameter_files(folder) for one in _read(path, report)]
    return new_version(base, given, told, output, report), report
