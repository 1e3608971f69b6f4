"""Provenance of a step: ctapipe's record, with checksums of the files and of the configuration.

The record has the shape that ctapipe writes (``--provenance-log``): a list of
activities with inputs, outputs, configuration, software and system. Added to it:
``sha256`` and ``size_bytes`` of every local file, and ``config_sha256``.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dpps.domain.steps import StepError

__all__ = ["Activity", "complete_record", "configuration_hash", "file_checksum"]


def file_checksum(path: Path) -> str:
    """Give the SHA-256 checksum of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def configuration_hash(configuration: object) -> str:
    """Give the SHA-256 checksum of a configuration, independent of the order of its keys."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _documents(text: str) -> Iterator[Any]:
    """Read JSON documents that stand one after another: ctapipe appends to its log."""
    decoder = json.JSONDecoder()
    rest = text.lstrip()
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].lstrip()


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Replace the names of files in nested data."""
    if isinstance(value, dict):
        return {key: _renamed(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if isinstance(value, str):
        for written, product in names.items():
            value = value.replace(written, product)
    return value


def _with_checksum(entry: dict[str, Any]) -> dict[str, Any]:
    path = Path(str(entry.get("url", "")).removeprefix("file://"))
    if "sha256" in entry or not path.is_file():
        return entry
    return {**entry, "sha256": file_checksum(path), "size_bytes": path.stat().st_size}


def _completed(activity: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    files = {
        kind: [_with_checksum(entry) for entry in activity.get(kind, [])] for kind in ("input", "output")
    }
    renamed: dict[str, Any] = _renamed({**activity, **files}, names)
    return {**renamed, "config_sha256": configuration_hash(renamed.get("config"))}


def complete_record(path: Path, names: Mapping[Path, Path] | None = None) -> None:
    """Add checksums to a record that a ctapipe tool wrote.

    Parameters
    ----------
    path : pathlib.Path
        The record; nothing happens where there is none.
    names : mapping of pathlib.Path to pathlib.Path, or None
        By product: where it was written (in the folder of the product). The record names the product.
    """
    if not path.is_file():
        return
    written = {aside.name: product.name for product, aside in (names or {}).items()}
    activities = [
        _completed(activity, written)
        for document in _documents(path.read_text(encoding="utf-8"))
        for activity in document
    ]
    path.write_text(json.dumps(activities, indent=3) + "\n", encoding="utf-8")


class Activity:
    """A command of this package, recorded as ctapipe's tools are; use it with ``with``.

    Parameters
    ----------
    name : str
        Of the command.
    configuration : mapping
        Its options.
    log : pathlib.Path or None
        Where the record is written, also after a failure; None: nowhere.
    """

    def __init__(self, name: str, configuration: Mapping[str, object], *, log: Path | None) -> None:
        self._name = name
        self._configuration = {key: str(value) for key, value in configuration.items()}
        self._log = log

    def __enter__(self) -> Self:
        """Begin the activity."""
        if self._log is not None:
            from ctapipe.core import Provenance

            Provenance().clear()
            Provenance().start_activity(self._name)
            Provenance().add_config({self._name: self._configuration})
        return self

    def used(self, path: Path, role: str) -> None:
        """Record an input."""
        if self._log is not None:
            from ctapipe.core import Provenance

            Provenance().add_input_file(str(path), role=role, add_meta=False)

    def generated(self, path: Path, role: str) -> None:
        """Record an output."""
        if self._log is not None:
            from ctapipe.core import Provenance

            Provenance().add_output_file(str(path), role=role, add_meta=False)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the activity and write the record."""
        if self._log is None:
            return
        from ctapipe.core import Provenance

        exit_code = 0 if error is None else error.exit_code if isinstance(error, StepError) else 1
        status = "completed" if error is None else "error"
        Provenance().finish_activity(status=status, exit_code=exit_code, activity_name=self._name)
        self._log.write_text(Provenance().as_json(), encoding="utf-8")
        complete_record(self._log)
