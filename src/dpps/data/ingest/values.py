"""What an ingest pass is told, and what it answers for each file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dpps.domain.errors import DppsError
from dpps.domain.names import Lfn

__all__ = ["IngestOutcome", "IngestSettings", "IngestedFile"]


class IngestOutcome(StrEnum):
    """What became of one handed-over file."""

    INGESTED = "ingested"
    KNOWN = "known"
    """The archive had the same content under the same name; the trigger was removed."""
    ACCEPTED = "accepted"
    """Dry run: the file would be ingested."""
    UNFIT = "unfit"
    """Dry run: the file itself is wrong and would be quarantined."""
    QUARANTINED = "quarantined"
    """The file itself is wrong: it was moved out of the hand-over tree, with its reason beside it."""
    WAITING = "waiting"
    """Nothing is wrong for good, or not known to be: the trigger stays, the file is tried again by itself."""
    REFUSED = "refused"
    """Nothing was done; the trigger stays, and someone has to act as the error says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedFile:
    """A handed-over file and what became of it."""

    path: Path
    outcome: IngestOutcome
    lfn: Lfn | None = None
    rse: str | None = None
    size_bytes: int = 0
    quarantine: Path | None = None
    """Where the file lies now, when it was quarantined."""
    error: DppsError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """What one pass is about."""

    handover: Path
    vo: str
    array_site: str | None = None
    """Where the telescopes are, for files of which neither path nor content tell."""
    in_place_rse: str | None = None
    """The on-site storage whose tree the hand-over folder is: raw files are registered where they lie."""
    remove_handed_over: bool = False
    """Whether a handed-over file is deleted after it was copied, verified and registered."""
    dry_run: bool = False
    settle_seconds: float = 0.0
    """How long a damaged file must stay as it is before it is quarantined: it may still be being written."""
    copies_at_once: int = 1
    """How many files are copied to the on-site storage at the same time."""
