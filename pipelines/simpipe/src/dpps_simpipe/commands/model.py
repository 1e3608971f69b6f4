"""``dpps-simpipe model``: versions of the instrument and site model."""

import argparse
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dpps.domain.errors import InvalidInput

if TYPE_CHECKING:
    from dpps_simpipe.instrument.importing import ImportReport, NewVersion
    from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["add_options", "run"]

_MODEL = "version of the package or folder (default: the newest of the package)"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Gets them.
    """
    commands = parser.add_subparsers(dest="action", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON"
        )
        return added

    command("list", "versions of the package, with their arrays")
    show = command("show", "parameters with unit and source")
    show.add_argument("--model", default="", help=_MODEL)
    show.add_argument("--instrument", help="telescope, design or site, e.g. LSTN-01, LSTN-design, OBS-North")
    show.add_argument("--parameter", help="one parameter")
    check = command("check", "read a model and check it across its parameters")
    check.add_argument("model", nargs="?", default="", help=_MODEL)
    _add_import(command("import", "make a version from a folder of simtools' parameter files"))
    _add_submit(command("submit", "make a version with one other value"))
    export = command("export", "write simtools' parameter files")
    export.add_argument("--model", default="", help=_MODEL)
    export.add_argument("--output", type=Path, required=True, help="folder to make")
    export.add_argument("--with-own", action="store_true", help="also parameters that simtools does not know")
    report = command("report", "write pages with tables and plots of a model")
    report.add_argument("--model", default="", help=_MODEL)
    report.add_argument("--output", type=Path, required=True, help="folder to make")


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", default="", help=f"model before: {_MODEL}")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new version, to make")
    parser.add_argument("--version", required=True, help="version of the new model, like 1.3.0")
    parser.add_argument("--source", required=True, help="where the values are from: citation or file")
    parser.add_argument("--valid-from", type=_day, help="first day of data (UTC; default: that of the base)")
    parser.add_argument("--valid-until", type=_day, help="last day of data (UTC; default: open)")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="parameter files, tables beside them")
    _add_version(parser)


def _add_submit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instrument", required=True, help="telescope, design or site")
    parser.add_argument("--parameter", required=True, help="name of the parameter")
    parser.add_argument("--value", nargs="+", default=[], help="number or numbers, or a word")
    parser.add_argument("--unit", default="", help="unit of the numbers")
    parser.add_argument("--file", type=Path, help="ECSV table")
    _add_version(parser)


def _day(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{word!r} is no day like 2026-11-21") from error


def _told(options: argparse.Namespace, base: "InstrumentModel") -> "NewVersion":
    from dpps_simpipe.instrument.importing import NewVersion

    return NewVersion(
        version=options.version,
        source=options.source,
        released=datetime.now(tz=UTC).date(),
        valid_from=options.valid_from or base.valid_from,
        valid_until=options.valid_until,
    )


def _list(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.store import load_model, packaged_versions

    models = [load_model(version) for version in packaged_versions()]
    if options.json:
        return {"models": [_summary(model) for model in models]}
    return {model.version: f"{model.description} Arrays: {', '.join(model.arrays)}" for model in models}


def _summary(model: "InstrumentModel") -> dict[str, object]:
    return {
        "version": model.version,
        "sha256": model.sha256,
        "released": str(model.released),
        "valid_from": str(model.valid_from),
        "valid_until": None if model.valid_until is None else str(model.valid_until),
        "arrays": list(model.arrays),
        "parameters": len(model.parameters),
    }


def _show(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.store import load_model

    model = load_model(options.model)
    chosen = {
        key: one
        for key, one in model.parameters.items()
        if options.instrument in (None, key[0]) and options.parameter in (None, key[1])
    }
    if not chosen:
        raise InvalidInput(
            f"instrument model {model.label} has no {options.parameter or 'parameter'}"
            f" of {options.instrument or 'any instrument'}",
            code="simpipe.parameter-missing",
            next_step=f"Instruments are {', '.join(model.instruments)}.",
        )
    if options.json:
        told = [{**one.document, "source": model.source(*key)} for key, one in chosen.items()]
        return {**_summary(model), "values": told}
    rows = {
        f"{instrument}/{name}": f"{one.shown}  [{model.source(instrument, name)}]"
        for (instrument, name), one in chosen.items()
    }
    return {"model": model.label, **rows}


def _check(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.consistency import check_model
    from dpps_simpipe.instrument.store import load_model

    model = load_model(options.model)
    faults = check_model(model)
    if faults:
        raise InvalidInput(
            f"{model.folder}: {'; '.join(faults)}",
            code="simpipe.model-invalid",
            next_step="Correct these values in a new version of the model.",
            path=model.folder,
            faults=faults,
        )
    return _readable(_summary(model), options)


def _readable(result: Mapping[str, object], options: argparse.Namespace) -> dict[str, object]:
    """Put lists into one line, for people."""
    if options.json:
        return dict(result)
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in result.items()
    }


def _reported(
    model: "InstrumentModel", report: "ImportReport", options: argparse.Namespace
) -> dict[str, object]:
    """Say what became of values; people get the list of imported and kept ones as numbers."""
    lists = {
        "imported": report.imported,
        "changed": report.changed,
        "converted": report.converted,
        "unused": report.unused,
        "older": report.older,
        "unknown": report.unknown,
        "kept": report.kept,
    }
    head = {"model": str(model.folder), "version": model.version, "sha256": model.sha256}
    if options.json:
        return {**head, **lists}
    counted = {
        key: len(value) if key in ("imported", "kept") else "; ".join(value) for key, value in lists.items()
    }
    return {**head, **{key: value for key, value in counted.items() if value}}


def _import(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.importing import import_parameters
    from dpps_simpipe.instrument.store import load_model

    base = load_model(options.base)
    made, report = import_parameters(options.folder, options.output, base, _told(options, base))
    return _reported(made, report, options)


def _submit(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.store import load_model
    from dpps_simpipe.instrument.submitting import submit_parameter

    base = load_model(options.base)
    made, report = submit_parameter(
        base,
        options.output,
        _told(options, base),
        instrument=options.instrument,
        name=options.parameter,
        values=options.value,
        unit=options.unit,
        table=options.file,
    )
    return _reported(made, report, options)


def _export(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.exporting import export_parameters
    from dpps_simpipe.instrument.store import load_model

    written, left = export_parameters(load_model(options.model), options.output, with_own=options.with_own)
    return {"output": str(options.output), "written": written, "left_out_unknown_to_simtools": left}


def _report(options: argparse.Namespace) -> dict[str, object]:
    from dpps_simpipe.instrument.report import write_report
    from dpps_simpipe.instrument.store import load_model

    return _readable(
        {"pages": list(map(str, write_report(load_model(options.model), options.output)))}, options
    )


_ACTIONS = {
    "list": _list,
    "show": _show,
    "check": _check,
    "import": _import,
    "submit": _submit,
    "export": _export,
    "report": _report,
}


def run(options: argparse.Namespace) -> dict[str, object]:
    """Do what is asked.

    Parameters
    ----------
    options : argparse.Namespace
        Of `add_options`.

    Returns
    -------
    dict
        Result.
    """
    return _ACTIONS[options.action](options)
