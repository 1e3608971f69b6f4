"""What packages are, and what they say of each file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dpps.domain.errors import DamagedFile
from dpps.domain.files import FileContent, MetadataValue
from dpps.domain.names import Lfn

__all__ = [
    "METADATA",
    "PAYLOAD",
    "ExportedPackage",
    "FileRecord",
    "PackageKind",
    "Profile",
    "VerifiedPackage",
    "bad_package",
]

PAYLOAD = "data"
METADATA = "metadata"
_FORMAT = 1


class PackageKind(StrEnum):
    """The three information packages of OAIS (ISO 14721)."""

    SUBMISSION = "sip"
    """Handed over to an archive: what it shall keep."""
    ARCHIVAL = "aip"
    """Everything that is needed to build the holding anew elsewhere."""
    DISSEMINATION = "dip"
    """Delivered to a user: rights and embargo are checked."""


class Profile(StrEnum):
    """Further demands on a package."""

    SCIENCE_ARCHIVE = "science-archive"
    """Released DL3 for the science archive: every file says its rights and the end of its embargo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What a package says of one file."""

    lfn: Lfn
    content: FileContent
    sha256: str
    dataset: str
    metadata: Mapping[str, MetadataValue]
    policy_kind: str | None = None
    """Name of the kind in the preservation policy."""
    embargo_until: str | None = None
    """UTC time of public release."""

    @property
    def payload_name(self) -> str:
        """Where its bytes are in the package."""
        return f"{PAYLOAD}{self.lfn}"

    @property
    def record_name(self) -> str:
        """Where this record is in the package."""
        return f"{METADATA}{self.lfn}.json"

    def to_json(self) -> str:
        """Return the record as text."""
        facts = {
            "format": _FORMAT,
            "lfn": self.lfn.name,
            "bytes": self.content.size_bytes,
            "adler32": self.content.adler32,
            "sha256": self.sha256,
            "dataset": self.dataset,
            "policy_kind": self.policy_kind,
            "rights": {
                key: self.metadata.get(f"curation__{key}")
                for key in ("rights", "license", "license_url", "copyright", "reference")
            },
            "embargo_until": self.embargo_until,
            "product": dict(sorted(self.metadata.items())),
        }
        return json.dumps(facts, indent=1) + "\n"

    @classmethod
    def from_json(cls, name: str, text: str) -> FileRecord:
        """Read a record that stands under a name in a package.

        Raises
        ------
        DamagedFile
            When it is none, or tells of another file than its name.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != _FORMAT or not isinstance(facts["product"], dict):
                raise bad_package(f"{name} is in a format that this release does not read")
            record = cls(
                lfn=Lfn(facts["lfn"]),
                content=FileContent(size_bytes=int(facts["bytes"]), adler32=str(facts["adler32"])),
                sha256=str(facts["sha256"]),
                dataset=Lfn(facts["dataset"]).name,
                metadata=facts["product"],
                policy_kind=facts["policy_kind"],
                embargo_until=facts["embargo_until"],
            )
        except (ValueError, KeyError, TypeError) as wrong:
            raise bad_package(f"{name} is no record of a file: {wrong!r}") from wrong
        if record.record_name != name or record.dataset != record.lfn.parent:
            raise bad_package(f"{name} tells of another file: {record.lfn}")
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPackage:
    """A package that was made, or would be."""

    path: Path
    kind: PackageKind
    files: int
    size_bytes: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPackage:
    """A package whose every byte was read and found right."""

    path: Path
    kind: PackageKind
    identifier: str
    made_at: datetime | None
    files: int
    size_bytes: int


def bad_package(why: str) -> DamagedFile:
    """Return the error for a package that is not what it should be."""
    return DamagedFile(
        f"the package is refused: {why}",
        code="package-invalid",
        next_step="ask its sender for another copy; nothing of it was imported",
    )
