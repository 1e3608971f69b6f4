"""What a storage server can be asked, whatever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dpps.adapters.storage.server_urls import Address
from dpps.domain.files import FileContent

__all__ = ["Entry", "ServerProtocol"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file or folder."""

    path: str
    """Absolute path on the server."""
    size_bytes: int
    is_folder: bool
    changed_at: datetime | None = None
    """When it was last written to, by the server's clock; None where the server does not say."""


class ServerProtocol(Protocol):
    """Single requests; errors are ours, with the URL of the end that failed in their identifier ``url``."""

    def entry(self, address: Address) -> Entry | None:
        """Return what is there; None when nothing is."""
        ...

    def entries(self, folder: Address) -> list[Entry]:
        """Return what lies directly in a folder; nothing when it is absent."""
        ...

    def read(self, address: Address) -> Iterator[bytes]:
        """Yield the bytes of a file to its end."""
        ...

    def write(self, address: Address, chunks: Iterable[bytes], size_bytes: int) -> None:
        """Write a file, in place of one that has the name; its folder exists."""
        ...

    def fresh_content(self, address: Address) -> FileContent:
        """Return size and checksum that the server reads of a file that was written a moment ago."""
        ...

    def make_folder(self, folder: Address) -> None:
        """Make a folder and those above; what is there already is no error."""
        ...

    def move(self, source: Address, destination: Address) -> None:
        """Rename on one server, in place of a file that has the name."""
        ...

    def remove(self, address: Address) -> None:
        """Remove a file; absent is no error."""
        ...

    def pull(self, source: Address, destination: Address, proceed: Callable[[], None]) -> None:
        """Let the destination's server fetch a file from the source's; what ``proceed`` raises ends it."""
        ...
