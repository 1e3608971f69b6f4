"""Verifying a package: complete, nothing added, every byte right, every record about the file it names."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dpps.data.packages.reading import Entry, bag_entries
from dpps.data.packages.records import (
    METADATA,
    PAYLOAD,
    FileRecord,
    PackageKind,
    VerifiedPackage,
    bad_package,
)
from dpps.domain.files import FileContent
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["Checked", "check_package", "verify_package"]

_TAG_BYTES_MAX = 512 * 1024 * 1024
_RECORD_BYTES_MAX = 4 * 1024 * 1024
_LINE = re.compile(r"([0-9a-fA-F]+)\s+\*?(\S.*)")
_OWN = ("manifest-sha256.txt", "fixity-adler32.txt", "tagmanifest-sha256.txt", "bag-info.txt", "bagit.txt")


@dataclass(slots=True)
class Checked:
    """What one reading of a package showed; some hundred bytes a file stay in memory."""

    payload: dict[str, tuple[str, FileContent]] = field(default_factory=dict)
    """SHA-256 and content, by name in the package."""
    tags: dict[str, str] = field(default_factory=dict)
    """SHA-256 of all other files."""
    texts: dict[str, str] = field(default_factory=dict)
    """The files that say what must be there."""
    records: dict[str, FileRecord] = field(default_factory=dict)
    """By name of the payload."""


def verify_package(principal: Principal, path: Path) -> VerifiedPackage:
    """Read a package to its end.

    Raises
    ------
    NotAuthorized
        When the principal may not handle packages.
    NotFound
        When there is nothing.
    DamagedFile
        When anything is wrong, missing or too much.
    """
    authorize(principal, Action.PACKAGE, str(path))
    checked = check_package(path)
    info = _information(checked.texts["bag-info.txt"])
    made_at = info.get("Bagging-Time")
    return VerifiedPackage(
        path=path,
        kind=_kind(info),
        identifier=info.get("External-Identifier", ""),
        made_at=datetime.fromisoformat(made_at) if made_at else None,
        files=len(checked.payload),
        size_bytes=sum(content.size_bytes for _, content in checked.payload.values()),
    )


def check_package(path: Path) -> Checked:
    """Read everything and compare it with the manifests; see `verify_package`."""
    checked = Checked()
    for entry in bag_entries(path):
        _read(entry, checked)
    missing = [name for name in _OWN if name not in checked.texts]
    if missing:
        raise bad_package(f"it has no {missing[0]}")
    if "BagIt-Version: 1.0" not in checked.texts["bagit.txt"].splitlines():
        raise bad_package("bagit.txt does not say BagIt-Version: 1.0")
    _compare("manifest-sha256.txt", checked, {name: one for name, (one, _) in checked.payload.items()})
    adler32 = {name: content.adler32 for name, (_, content) in checked.payload.items()}
    _compare("fixity-adler32.txt", checked, adler32)
    _compare("tagmanifest-sha256.txt", checked, checked.tags)
    _check_records(checked)
    _check_sum(checked)
    return checked


def _read(entry: Entry, checked: Checked) -> None:
    is_payload = entry.name.startswith(f"{PAYLOAD}/")
    is_record = entry.name.startswith(f"{METADATA}/")
    limit = None if is_payload else _RECORD_BYTES_MAX if is_record else _TAG_BYTES_MAX
    if limit is not None and entry.size_bytes > limit:
        raise bad_package(f"{entry.name} has {entry.size_bytes} bytes, at most {limit} are reasonable")
    digest, adler32, size_bytes, kept = hashlib.sha256(), zlib.adler32(b""), 0, bytearray()
    for chunk in entry.chunks():
        digest.update(chunk)
        adler32 = zlib.adler32(chunk, adler32)
        size_bytes += len(chunk)
        if not is_payload:
            kept += chunk
    if is_payload:
        content = FileContent(size_bytes=size_bytes, adler32=f"{adler32:08x}")
        checked.payload[entry.name] = (digest.hexdigest(), content)
        return
    if entry.name != "tagmanifest-sha256.txt":
        checked.tags[entry.name] = digest.hexdigest()
    if is_record:
        record = FileRecord.from_json(entry.name, _text(entry.name, bytes(kept)))
        checked.records[record.payload_name] = record
    elif entry.name in _OWN:
        checked.texts[entry.name] = _text(entry.name, bytes(kept))


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as wrong:
        raise bad_package(f"{name} is no text") from wrong


def _compare(manifest: str, checked: Checked, found: Mapping[str, str]) -> None:
    told: dict[str, str] = {}
    for line in checked.texts[manifest].splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match[2] in told:
            raise bad_package(f"{manifest} has a line that is no checksum, or a name twice: {line[:80]!r}")
        told[match[2]] = match[1].lower()
    for name in sorted(told.keys() ^ found.keys()):
        raise bad_package(f"{name} is {'missing' if name in told else f'not listed in {manifest}'}")
    for name, checksum in told.items():
        if found[name] != checksum:
            raise bad_package(f"{name} is damaged: {manifest} says {checksum}, it has {found[name]}")


def _check_records(checked: Checked) -> None:
    for name in sorted(checked.records.keys() ^ checked.payload.keys()):
        raise bad_package(f"{name} has no {'payload' if name in checked.records else 'record'}")
    for name, record in checked.records.items():
        if (record.sha256, record.content) != checked.payload[name]:
            raise bad_package(f"{record.record_name} tells of other content than {name} has")


def _check_sum(checked: Checked) -> None:
    size_bytes = sum(content.size_bytes for _, content in checked.payload.values())
    told = _information(checked.texts["bag-info.txt"]).get("Payload-Oxum")
    if told != f"{size_bytes}.{len(checked.payload)}":
        raise bad_package(f"bag-info.txt says Payload-Oxum {told}, it is {size_bytes}.{len(checked.payload)}")


def _information(text: str) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in text.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _kind(info: Mapping[str, str]) -> PackageKind:
    told = info.get("OAIS-Package-Kind")
    try:
        return PackageKind(str(told))
    except ValueError as wrong:
        raise bad_package(f"bag-info.txt says OAIS-Package-Kind {told!r}") from wrong
