"""What was handed over, and what has become of each file as far as file systems tell."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = ["Entry", "Expectation", "Ledger", "digest_of"]


class Expectation(StrEnum):
    """What must become of a handed-over file."""

    PRESERVED = "preserved"
    """Accepted, and brought to the copies that the policy asks for."""
    QUARANTINED = "quarantined"
    """Damaged before the system could see it: never archived."""
    EITHER = "either"
    """Damaged while the system could see it: archived as it was before, or quarantined."""


@dataclass(slots=True)
class Entry:
    """One handed-over file."""

    relative: str
    """Path below the hand-over folder; with a leading slash it is the logical file name."""
    digest: str
    """SHA-256 of the intact original."""
    size_bytes: int
    expectation: Expectation
    handed_at: float
    """Seconds of the monotonic clock, as all times here."""
    announced: bool = False
    """Whether its trigger was placed."""
    accepted_at: float | None = None
    """When its trigger was first seen gone without the file being in quarantine."""
    quarantined: bool = False
    safe_at: float | None = None
    """When so many good copies were first seen as the policy asks for."""
    rivalled: bool = False
    """Whether other content was handed over under its name later."""
    sacrificed: bool = False
    """Whether a fault destroyed the only copy that the archive had: no archive can have another then."""
    hurt: dict[str, str] = field(default_factory=dict)
    """Storages whose copy was damaged on purpose and has not been mended, with the fault."""
    good_at: frozenset[str] = frozenset()
    """Storages that held a good copy when they were last looked at."""

    @property
    def lfn(self) -> str:
        """Name in the archive."""
        return f"/{self.relative}"


class Ledger:
    """All handed-over files; threads share it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._entries: dict[str, Entry] = {}

    def add(self, relative: str, path: Path, expectation: Expectation) -> Entry:
        """Note a file that is about to be handed over, from its intact original."""
        entry = Entry(relative, digest_of(path), path.stat().st_size, expectation, time.monotonic())
        with self.lock:
            self._entries[relative] = entry
        return entry

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries there are now, in the order in which they were handed over."""
        with self.lock:
            return iter(list(self._entries.values()))

    def __len__(self) -> int:
        """Return how many files were handed over."""
        with self.lock:
            return len(self._entries)

    def find(self, relative: str) -> Entry | None:
        """Return the entry of a path below the hand-over folder."""
        with self.lock:
            return self._entries.get(relative)

    def accepted(self) -> list[Entry]:
        """Return what the system has accepted."""
        return [entry for entry in self if entry.accepted_at is not None]


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
