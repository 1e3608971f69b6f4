"""Lanes: what moves from one storage to another for one activity; the unit that limits apply to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["ANY", "DEFAULT_ACTIVITY", "UNKNOWN_LANE", "Lane", "StorageNames", "is_named", "storage_name"]

ANY: Final = "*"
"""FTS3's name for every storage."""
DEFAULT_ACTIVITY: Final = "default"
"""FTS3's name for the activity of files that name none, and for the weight of activities not listed."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """One link, for one activity."""

    source: str
    """Name of the storage read from."""
    destination: str
    activity: str = DEFAULT_ACTIVITY


UNKNOWN_LANE: Final = Lane(source="", destination="")


def storage_name(url_prefix: str) -> str:
    """Return the name by which limits and bans know the storage with this URL prefix.

    FTS3 names a storage ``scheme://host``. Storages of one machine would all be one then: ours keep the
    port, and the folder of a ``file://`` storage.
    """
    if url_prefix.startswith("file:"):
        return url_prefix.rstrip("/")
    address = urlsplit(url_prefix)
    return f"{address.scheme}://{address.netloc}"


def is_named(name: str, storage: str) -> bool:
    """Tell whether a limit's name means a storage: all, the same, or the same without its port."""
    return name in {ANY, storage} or storage.startswith(f"{name}:")


class StorageNames:
    """Finds the storage that a URL belongs to.

    Parameters
    ----------
    prefixes : iterable of str
        URL prefixes of the storages that are known; others are named by scheme, host and port. A known
        server has one name, whichever of its protocols a URL asks for: a limit or a ban means the server.
    """

    def __init__(self, prefixes: Iterable[str] = ()) -> None:
        known = list(prefixes)
        self._folders = sorted(
            (prefix.rstrip("/") for prefix in known if prefix.startswith("file:")), key=len, reverse=True
        )
        self._servers = {
            urlsplit(prefix).netloc: storage_name(prefix)
            for prefix in known
            if not prefix.startswith("file:")
        }

    def of(self, url: str) -> str:
        """Return the name of the storage of a URL."""
        for folder in self._folders:
            if url.startswith(f"{folder}/"):
                return folder
        scheme, separator, rest = url.partition("://")
        server = rest.partition("/")[0]
        return self._servers.get(server, f"{scheme}{separator}{server}")

    def lanes(self, sources: Iterable[str], destination: str, activity: str) -> list[Lane]:
        """Return the lane for each of the sources."""
        end = self.of(destination)
        return [Lane(source=self.of(source), destination=end, activity=activity) for source in sources]
