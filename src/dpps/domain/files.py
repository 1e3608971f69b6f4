"""Files, their replicas, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dpps.domain.names import Lfn

__all__ = ["ArchivedFile", "FileContent", "MetadataValue", "Replica", "ReplicaState"]

MetadataValue = str | int | float | bool | None | list[str] | list[int] | list[float]
"""A value of flat product metadata (JSON; times as ISO 8601 UTC strings)."""


class ReplicaState(StrEnum):
    """What the catalogue says of one copy."""

    AVAILABLE = "available"
    """Registered, and read back complete when it was written."""
    COPYING = "copying"
    """A transfer to this storage is requested or under way."""
    BAD = "bad"
    """Declared damaged or lost; repaired from a good copy."""
    UNAVAILABLE = "unavailable"
    """Any other state: not to be read now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """What identifies the bytes of a file."""

    size_bytes: int
    adler32: str
    """Checksum as eight lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One copy of a file at one RSE."""

    rse: str
    pfn: str
    """Physical URL, e.g. ``file://localhost/…`` or ``root://127.0.0.1:1094//…``."""
    state: ReplicaState
    onsite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """A file as the catalogue knows it."""

    lfn: Lfn
    content: FileContent
    replicas: tuple[Replica, ...]
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    dataset: str | None = None
    """Name of the dataset that makes the file visible to readers."""
