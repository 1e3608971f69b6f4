"""What people say of files on the command line and in files: metadata, names, lists of many files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps.domain.errors import InvalidInput

if TYPE_CHECKING:
    from dpps.data.storing import FileToStore

__all__ = ["named_files", "read_manifest", "read_metadata"]

_MANIFEST_KEYS = frozenset({"path", "metadata", "lfn", "dataset"})


def read_metadata(product: Path | None, kind: str | None, pairs: Sequence[str]) -> dict[str, object]:
    """Return flat metadata: those of a file, then the kind of product, then single keys; the later counts.

    Parameters
    ----------
    product : Path, optional
        YAML or JSON with keys of ``ctao_datamodel``'s ``Product``, nested or flat.
    kind : str, optional
        ``level/division/association/type``.
    pairs : sequence of str
        ``key=value``; values as in YAML.

    Raises
    ------
    InvalidInput
        When one of them cannot be read.
    """
    from dpps.products.submitted import flat_metadata, product_type_keys

    metadata: dict[str, object] = {}
    if product is not None:
        loaded = _load(product)
        if not isinstance(loaded, Mapping):
            raise _unreadable(product, "it holds no keys with values")
        metadata |= flat_metadata(loaded)
    if kind is not None:
        metadata |= product_type_keys(kind)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InvalidInput(
                f"{pair!r} is not key=value",
                code="option-invalid",
                next_step="write e.g. --metadata instance__obs_id=7",
            )
        metadata[key.strip()] = _value(key, value)
    return metadata


def named_files(files: Sequence[Path], lfn: str | None, dataset: str | None) -> list[FileToStore]:
    """Return local files with the names that they shall have.

    Parameters
    ----------
    files : sequence of Path
        The files.
    lfn : str, optional
        Name of the one file, or with a ``/`` at its end the folder of all.
    dataset : str, optional
        Dataset to attach all to.

    Raises
    ------
    InvalidInput
        When one name is given to several files.
    """
    from dpps.data.storing import FileToStore

    if lfn is not None and not lfn.endswith("/") and len(files) != 1:
        raise InvalidInput(
            f"--lfn {lfn} names one file, {len(files)} are given",
            code="option-invalid",
            next_step=f"write --lfn {lfn}/ for a folder, or use --manifest",
        )
    folder = lfn if lfn is not None and lfn.endswith("/") else None
    return [
        FileToStore(path=path, lfn=f"{folder}{path.name}" if folder else lfn, dataset=dataset)
        for path in files
    ]


def read_manifest(path: Path) -> list[FileToStore]:
    """Return the files that a list names, with what it says of each.

    YAML, JSON, or one JSON object a line: ``path`` (relative ones from the folder of the list), and where
    wanted ``metadata``, ``lfn``, ``dataset``.

    Raises
    ------
    InvalidInput
        When it is no such list; names the entry.
    """
    entries = _entries(path)
    return [_entry(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _entry(manifest: Path, number: int, entry: object) -> FileToStore:
    from dpps.data.storing import FileToStore

    if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
        raise _unreadable(manifest, f"entry {number} has no path")
    unknown = sorted(map(str, set(entry) - _MANIFEST_KEYS))
    if unknown:
        raise _unreadable(manifest, f"entry {number} has the unknown key {unknown[0]!r}")
    metadata = entry.get("metadata") or {}
    texts = {name: entry[name] for name in ("lfn", "dataset") if entry.get(name) is not None}
    if not isinstance(metadata, Mapping) or not all(isinstance(text, str) for text in texts.values()):
        raise _unreadable(manifest, f"entry {number} has metadata or a name of the wrong kind")
    return FileToStore(path=manifest.parent / entry["path"], metadata=metadata, **texts)


def _entries(path: Path) -> list[Any]:
    if path.suffix == ".jsonl":
        lines = enumerate(_text(path).splitlines(), start=1)
        return [_line(path, number, line) for number, line in lines if line.strip()]
    loaded = _load(path)
    if not isinstance(loaded, list):
        raise _unreadable(path, "it is no list of files")
    return loaded


def _line(path: Path, number: int, line: str) -> object:
    import json

    try:
        entry: object = json.loads(line)
    except json.JSONDecodeError as wrong:
        raise _unreadable(path, f"line {number}: {wrong.msg} at column {wrong.colno}") from wrong
    return entry


def _load(path: Path) -> object:
    import yaml

    try:
        return yaml.safe_load(_text(path))
    except yaml.YAMLError as wrong:
        raise _unreadable(path, " ".join(str(wrong).split())) from wrong


def _value(key: str, text: str) -> object:
    import yaml

    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise InvalidInput(
            f"the value of {key} cannot be read: {' '.join(str(wrong).split())}",
            code="option-invalid",
            next_step="put it in quotes: --metadata \"key='value'\"",
        ) from wrong
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as wrong:
        raise InvalidInput(
            f"{path} cannot be read: {wrong.strerror}",
            code="file-unreadable",
            next_step="check the path and the right to read it",
            path=path,
        ) from wrong
    except UnicodeDecodeError as wrong:
        raise _unreadable(path, "it is no text") from wrong


def _unreadable(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path} cannot be used: {why}",
        code="file-unreadable",
        next_step="write YAML or JSON as the page 'Store files' shows",
        path=path,
    )
