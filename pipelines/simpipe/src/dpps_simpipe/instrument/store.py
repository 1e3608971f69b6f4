"""A version of the instrument and site model: a folder with ``model.yaml``, parameters and files."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound
from dpps_simpipe.documents import UnreadableDocument, read_yaml
from dpps_simpipe.instrument.parameters import Parameter, file_names, parse_parameter, read_documents

__all__ = [
    "KEYWORD",
    "ArrayEntry",
    "InstrumentModel",
    "load_model",
    "model_folder",
    "named_model",
    "packaged_versions",
    "read_model",
]

#: First key of ``model.yaml``, and version of the format.
KEYWORD = "dpps_instrument_model"
FORMAT = 1
_KEYS = frozenset(
    {
        *(KEYWORD, "version", "description", "released", "valid_from", "valid_until"),
        *("sources", "origins", "arrays"),
    }
)
_VERSION = re.compile(r"\d+\.\d+\.\d+([-+][A-Za-z0-9.-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayEntry:
    """An array of the model.

    Parameters
    ----------
    name, site, source : str
        Name in run descriptions; North or South; where the layout is from.
    subarray_id : int
        Number of the subarray in raw data.
    telescopes : tuple of str
        Names of its telescopes.
    lst_stereo : bool
        Whether an LST takes part only with another LST.
    least_telescopes : int
        Telescopes that an array trigger needs.
    coincidence_ns : float
        Largest difference of their trigger times, light-path differences taken out.
    """

    name: str
    site: str
    source: str
    subarray_id: int
    telescopes: tuple[str, ...]
    lst_stereo: bool
    least_telescopes: int
    coincidence_ns: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InstrumentModel:
    """A version of the model; two are equal when they are one: compare their checksums.

    Parameters
    ----------
    version, description : str
        Semantic version; what it is.
    released : date
        Day of the version (UTC).
    valid_from : date
        First day of data that it describes (UTC).
    valid_until : date or None
        Last day; None: until a later version says otherwise.
    folder : Path
        Where it is.
    sha256 : str
        Of the names and contents of all its files.
    parameters : mapping
        By instrument and name.
    arrays : mapping of str to ArrayEntry
        By name.
    sources : mapping of str to str
        Citations, by key.
    origins : mapping
        Key of the source by instrument and parameter; parameter ``*``: the others.
    """

    version: str
    description: str
    released: date
    valid_from: date
    valid_until: date | None
    folder: Path
    sha256: str
    parameters: Mapping[tuple[str, str], Parameter]
    arrays: Mapping[str, ArrayEntry]
    sources: Mapping[str, str]
    origins: Mapping[str, Mapping[str, str]]

    @property
    def label(self) -> str:
        """Version and beginning of the checksum."""
        return f"{self.version} ({self.sha256[:12]})"

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of sites, designs and telescopes."""
        return tuple(dict.fromkeys(instrument for instrument, _ in self.parameters))

    def find(self, instrument: str, name: str) -> Parameter:
        """Give a parameter.

        Parameters
        ----------
        instrument, name : str
            Of what, and which.

        Returns
        -------
        Parameter
            Value.

        Raises
        ------
        NotFound
            The model has no such value.
        """
        found = self.parameters.get((instrument, name))
        if found is None:
            raise NotFound(
                f"instrument model {self.version} has no {name} of {instrument}",
                code="simpipe.parameter-missing",
                next_step=f"Add it: dpps-simpipe model submit --instrument {instrument} --parameter {name}.",
                parameter=f"{instrument}/{name}",
            )
        return found

    def file(self, instrument: str, name: str) -> Path:
        """Give the file that a parameter names.

        Parameters
        ----------
        instrument, name : str
            Of what, and which.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        NotFound
            The model has no such parameter.
        """
        return self.folder / "files" / instrument / str(self.find(instrument, name).value)

    def source(self, instrument: str, name: str) -> str:
        """Say where a value is from.

        Parameters
        ----------
        instrument, name : str
            Of what, and which.

        Returns
        -------
        str
            Citation or file.
        """
        origins = self.origins.get(instrument, {})
        return self.sources[origins.get(name) or origins["*"]]


def packaged_versions() -> tuple[str, ...]:
    """Give the versions that come with the package, the newest first.

    Returns
    -------
    tuple of str
        Versions.
    """
    names = [path.name for path in _packaged().iterdir() if (path / "model.yaml").is_file()]
    return tuple(sorted(names, key=lambda name: tuple(map(int, name.split("."))), reverse=True))


def _packaged() -> Path:
    return Path(str(files("dpps_simpipe.instrument").joinpath("resources", "models")))


def model_folder(model: str | Path = "") -> Path:
    """Find a model.

    Parameters
    ----------
    model : str or Path
        Version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    Path
        Its folder.

    Raises
    ------
    NotFound
        There is none.
    """
    versions = packaged_versions()
    name = str(model) or versions[0]
    folder = _packaged() / name if name in versions else Path(name)
    if not (folder / "model.yaml").is_file():
        raise NotFound(
            f"there is no instrument model {name}",
            code="simpipe.model-unknown",
            next_step="Give a folder with model.yaml (dpps-simpipe model import makes one), or a version of "
            f"the package: {', '.join(versions)}.",
            model=name,
        )
    return folder


def named_model(model: str | Path) -> str:
    """Give a name of a model that holds wherever a process works.

    Parameters
    ----------
    model : str or Path
        Version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    str
        The version, or the absolute path.
    """
    return str(model) if str(model) in ("", *packaged_versions()) else str(Path(model).resolve())


def load_model(model: str | Path = "") -> InstrumentModel:
    """Load a model; one that did not change is read once.

    Parameters
    ----------
    model : str or Path
        Version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    InstrumentModel
        The model.

    Raises
    ------
    NotFound
        There is none, or a file of it is not there.
    DamagedFile
        A file of it cannot be read.
    InvalidInput
        Something in it is wrong; names it.
    """
    folder = model_folder(model).resolve()
    return _loaded(folder, _checksum(folder))


@lru_cache(maxsize=8)
def _loaded(folder: Path, sha256: str) -> InstrumentModel:
    return read_model(folder, sha256)


def _checksum(folder: Path) -> str:
    """Hash names and contents of all files, in alphabetical order."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()


def _wrong(path: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{path}: {reason}", code="simpipe.model-invalid", next_step="Correct model.yaml.", path=path
    )


def _head(path: Path) -> Mapping[str, Any]:
    try:
        document = read_yaml(path)
    except UnreadableDocument as error:
        raise DamagedFile(
            f"{path} is no YAML: {error}", code="simpipe.model-unreadable", path=path
        ) from error
    if not isinstance(document, Mapping) or document.get(KEYWORD) != FORMAT:
        raise _wrong(path, f"is no instrument model ({KEYWORD}: {FORMAT} is missing)")
    different = sorted(map(str, set(document) ^ _KEYS))
    if different:
        raise _wrong(path, f"unknown or missing key {', '.join(different)}")
    if not _VERSION.fullmatch(str(document["version"])):
        raise _wrong(path, f"version {document['version']!r} is not like 1.0.0")
    for key in ("released", "valid_from", "valid_until"):
        value = document[key]
        if type(value) is not date and not (key == "valid_until" and value is None):
            raise _wrong(path, f"{key} is {value!r}, not a day like {datetime.now(tz=UTC).date()}")
    if document["valid_until"] is not None and document["valid_until"] < document["valid_from"]:
        raise _wrong(path, "valid_until is before valid_from")
    for key in ("sources", "arrays", "origins"):
        if not isinstance(document[key], Mapping):
            raise _wrong(path, f"{key} is no mapping")
    named = [document["sources"], *document["origins"].values()]
    if not all(
        isinstance(one, Mapping) and all(isinstance(word, str) for word in one.values()) for one in named
    ):
        raise _wrong(path, "sources, or origins of an instrument, is no mapping to texts")
    return document


def _arrays(path: Path, head: Mapping[str, Any]) -> dict[str, ArrayEntry]:
    arrays = {}
    for name, entry in head["arrays"].items():
        try:
            arrays[name] = ArrayEntry(name=name, **{**entry, "telescopes": tuple(entry["telescopes"])})
        except (TypeError, KeyError) as error:
            raise _wrong(path, f"array {name}: {error}") from error
        if arrays[name].site not in ("North", "South"):
            raise _wrong(path, f"array {name}: site {arrays[name].site!r} is not North or South")
    return arrays


def _check_origins(path: Path, head: Mapping[str, Any], instruments: set[str]) -> None:
    """Every value has a source that is named."""
    for instrument in sorted(instruments):
        origins = head["origins"].get(instrument)
        if not origins or "*" not in origins:
            raise _wrong(path, f"origins: no source for {instrument}")
        unknown = sorted(set(origins.values()) - set(head["sources"]))
        if unknown:
            raise _wrong(path, f"origins: {instrument} names the unknown source {', '.join(unknown)}")


def read_model(folder: Path, sha256: str = "") -> InstrumentModel:
    """Read the model of a folder and check every value.

    Parameters
    ----------
    folder : Path
        With ``model.yaml``, ``parameters/*.json`` and ``files/<instrument>/``.
    sha256 : str
        Checksum of the folder; empty: it is computed.

    Returns
    -------
    InstrumentModel
        The model.

    Raises
    ------
    NotFound
        A file that a parameter names is not there.
    DamagedFile
        A file cannot be read.
    InvalidInput
        Something is wrong; names it.
    """
    path = folder / "model.yaml"
    head = _head(path)
    parameters: dict[tuple[str, str], Parameter] = {}
    for file in sorted((folder / "parameters").glob("*.json")):
        for document in read_documents(file):
            parameter, _ = parse_parameter(document, str(file))
            key = (parameter.instrument, parameter.name)
            if key in parameters:
                raise _wrong(file, f"{'/'.join(key)} is there twice")
            parameters[key] = parameter
    for name in file_names(list(parameters.values())):
        file = folder / "files" / name
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            raise NotFound(f"{file} is not there", code="simpipe.table-missing", file=name)
    _check_origins(path, head, {instrument for instrument, _ in parameters})
    return InstrumentModel(
        version=str(head["version"]),
        description=head["description"],
        released=head["released"],
        valid_from=head["valid_from"],
        valid_until=head["valid_until"],
        folder=folder,
        sha256=sha256 or _checksum(folder),
        parameters=parameters,
        arrays=_arrays(path, head),
        sources=head["sources"],
        origins=head["origins"],
    )
