"""Write a version of the instrument and site model."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from dpps.domain.errors import Conflict
from dpps_simpipe.instrument.parameters import Parameter
from dpps_simpipe.instrument.store import FORMAT, KEYWORD, InstrumentModel, read_model

__all__ = ["write_model"]


def _file_of(instrument: str, site: object) -> str:
    """Name the file that a parameter goes to: designs and sites have their own, telescopes share one."""
    number = instrument.partition("-")[2]
    return f"telescopes-{site}.json" if number.isdigit() else f"{instrument}.json"


def _head(model: InstrumentModel) -> dict[str, Any]:
    arrays = {name: asdict(entry) for name, entry in model.arrays.items()}
    for entry in arrays.values():
        del entry["name"]
        entry["telescopes"] = list(entry["telescopes"])
    return {
        KEYWORD: FORMAT,
        "version": model.version,
        "description": model.description,
        "released": model.released,
        "valid_from": model.valid_from,
        "valid_until": model.valid_until,
        "sources": dict(model.sources),
        "origins": {name: dict(origins) for name, origins in model.origins.items()},
        "arrays": arrays,
    }


def _documents(parameters: Iterable[Parameter]) -> dict[str, list[dict[str, Any]]]:
    documents: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(parameters, key=lambda one: (one.instrument, one.name)):
        documents.setdefault(_file_of(one.instrument, one.site), []).append(one.document)
    return documents


def write_model(
    model: InstrumentModel,
    files: Mapping[str, Path],
    folder: Path,
    check: Callable[[InstrumentModel], None] | None = None,
) -> InstrumentModel:
    """Write a model into a new folder, and read it back.

    Parameters
    ----------
    model : InstrumentModel
        What is written; its folder and checksum are not looked at.
    files : mapping of str to Path
        The files that its parameters name, by ``instrument/name``.
    folder : Path
        Must not exist; it appears complete or not at all.
    check : callable or None
        Gets the model before it appears, and raises where it must not.

    Returns
    -------
    InstrumentModel
        As it is read from the folder.

    Raises
    ------
    Conflict
        The folder is there.
    InvalidInput
        The model has a fault; names it. Nothing is written.
    """
    if folder.exists():
        raise Conflict(
            f"{folder} is there: a version of a model is never changed",
            code="simpipe.model-exists",
            next_step="Give another folder.",
            path=folder,
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".model-", dir=folder.parent) as place:
        made = Path(place) / "model"
        (made / "parameters").mkdir(parents=True)
        (made / "files").mkdir()
        head = yaml.safe_dump(_head(model), sort_keys=False, allow_unicode=True, width=110)
        (made / "model.yaml").write_text(head, encoding="utf-8")
        for name, documents in _documents(model.parameters.values()).items():
            lines = ",\n".join(json.dumps(document) for document in documents)
            (made / "parameters" / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        for name, path in files.items():
            (made / "files" / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, made / "files" / name)
        written = read_model(made)
        if check is not None:
            check(written)
        made.rename(folder)
    return read_model(folder)
