"""Why an attempt fails, in the few classes that decide what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dpps.domain.files import FileContent

__all__ = ["End", "Failure", "FailureClass"]


class End(StrEnum):
    """The end of a transfer that failed."""

    SOURCE = "source"
    DESTINATION = "destination"


class FailureClass(StrEnum):
    """Why an attempt failed."""

    SOURCE_MISSING = "source-missing"
    SOURCE_CHECKSUM = "source-checksum"
    """The bytes read at the source are not those asked for."""
    SOURCE_READ = "source-read"
    """The storage of the source failed in another way."""
    DESTINATION_CHECKSUM = "destination-checksum"
    """The bytes read back differ from those written."""
    DESTINATION_EXISTS = "destination-exists"
    """Other content has the name, and must not be overwritten."""
    DESTINATION_FULL = "destination-full"
    DESTINATION_WRITE = "destination-write"
    """The storage of the destination failed in another way."""
    NETWORK = "network"
    """A storage does not answer, or the connection to it broke."""
    PERMISSION = "permission"
    """A storage denies access: only its operator can mend that."""
    UNSUPPORTED = "unsupported"
    """A scheme, checksum algorithm or URL that this service refuses."""
    UNEXPECTED = "unexpected"
    """A bug of this service; the log has the traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt."""

    kind: FailureClass
    reason: str
    permanent: bool = False
    """True when the error itself says that trying again cannot help."""
    found: FileContent | None = None
    """What stands at the destination, when that is the failure."""
    end: End = End.DESTINATION
    """Which storage it happened at."""
