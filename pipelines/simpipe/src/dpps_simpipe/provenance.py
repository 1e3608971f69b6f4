"""Provenance records of what is simulated: what it is made from, and products with their checksums."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dpps.domain.step_record import StepRecord
from dpps_simpipe.durable import put_in_place
from dpps_simpipe.instrument import Array, load_model
from dpps_simpipe.made_with import SOFTWARE

__all__ = ["begin_record", "simulation_inputs", "write_record"]


def begin_record(name: str, configuration: Mapping[str, object], array: Array) -> StepRecord:
    """Begin the record of a simulation.

    Parameters
    ----------
    name : str
        Of the command.
    configuration : mapping
        Description and options, with the seed.
    array : Array
        What is simulated; its model's version and checksum are recorded.

    Returns
    -------
    StepRecord
        To be written when the products are complete.
    """
    model = {"version": array.version, "sha256": array.model_sha256}
    return StepRecord(name, {**configuration, "instrument_model": model}, SOFTWARE)


def simulation_inputs(description: Path, role: str, model: str, atmosphere: str) -> list[tuple[Path, str]]:
    """Name the files that a simulation is made from.

    Parameters
    ----------
    description : Path
        Its description.
    role : str
        What kind of description that is.
    model : str
        Instrument model: version or folder; empty: the newest of the package.
    atmosphere : str
        Built-in profile or path of a table; empty: the site's own.

    Returns
    -------
    list of tuple
        Files with their roles.
    """
    loaded = load_model(model)
    used = [(description, role), (loaded.folder / "model.yaml", f"instrument model {loaded.label}")]
    if Path(atmosphere).is_file():
        used.append((Path(atmosphere), "atmosphere"))
    return used


def write_record(
    record: StepRecord,
    path: Path,
    *,
    used: Sequence[tuple[Path, str]],
    made: Sequence[tuple[Path, str]],
) -> None:
    """Write a record; it appears when it is complete.

    Parameters
    ----------
    record : StepRecord
        The record.
    path : Path
        File.
    used, made : sequence of tuple
        Files with their roles.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(record.document(used=used, made=made), encoding="utf-8")
    put_in_place(unfinished, path)
