"""Write a model's parameters as simtools' repositories of simulation models have them."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dpps.domain.errors import Conflict
from dpps_simpipe.instrument.parameters import Parameter
from dpps_simpipe.instrument.store import InstrumentModel

__all__ = ["export_parameters"]


def export_parameters(model: InstrumentModel, folder: Path, *, with_own: bool = False) -> tuple[int, int]:
    """Write a file for each parameter, and the table of versions for each instrument.

    Parameters
    ----------
    model : InstrumentModel
        What is written.
    folder : Path
        Must not exist; gets ``simulation-models/{model_parameters,productions}``.
    with_own : bool
        Also the parameters of this simulator, which simtools does not know.

    Returns
    -------
    tuple of int
        Parameters written, and left out.

    Raises
    ------
    Conflict
        The folder is there.
    """
    if folder.exists():
        raise Conflict(
            f"{folder} is there", code="simpipe.output-exists", next_step="Give another folder.", path=folder
        )
    chosen = [one for one in model.parameters.values() if with_own or one.definition.origin == "simtools"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as place:
        top = Path(place) / "export" / "simulation-models"
        for one in chosen:
            _write_parameter(model, one, top / "model_parameters")
        _write_tables(model, chosen, top / "productions" / model.version)
        top.parent.rename(folder)
    return len(chosen), len(model.parameters) - len(chosen)


def _write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _write_parameter(model: InstrumentModel, one: Parameter, folder: Path) -> None:
    own = folder / one.instrument / one.name
    _write_json(own / f"{one.name}-{one.version}.json", one.document)
    if one.definition.is_file:
        shutil.copyfile(model.file(one.instrument, one.name), own / str(one.value))


def _write_tables(model: InstrumentModel, chosen: Iterable[Parameter], folder: Path) -> None:
    """Write which version of a parameter belongs to this version of the model."""
    tables: dict[str, dict[str, str]] = {}
    for one in chosen:
        tables.setdefault(one.instrument, {})[one.name] = one.version
    for instrument, versions in tables.items():
        document: dict[str, object] = {
            "production_table_name": instrument,
            "model_version": model.version,
            "parameters": {instrument: versions},
        }
        design = model.parameters.get((instrument, "design_model"))
        if design is not None:
            document["design_model"] = {instrument: design.value}
        _write_json(folder / f"{instrument}.json", document)
