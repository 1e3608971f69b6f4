"""Storage servers that are a storage only while they show their mark.

A server whose file system is not mounted serves the empty folder that is left: it says of every file that
there is none, and takes new ones that vanish later. Such an answer counts after a look at the mark only.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from dpps.adapters.storage.file_urls import MARK
from dpps.adapters.storage.server_urls import server_of
from dpps.data.audit.ports import SurveyedStorage
from dpps.data.audit.records import ListedFile
from dpps.domain.errors import NotFound, Unavailable
from dpps.domain.files import FileContent

__all__ = ["MarkedStorage"]

_SEEN_SECONDS: Final = 1.0
"""A mark that was seen so recently is not asked for again before something is written."""


class MarkedStorage:
    """Implements ``SurveyedStorage`` on top of others.

    What is there is taken as it is. That something is absent is believed, and something is written or
    deleted, only where the mark is right; else the error is that of a storage that is out of reach.

    Parameters
    ----------
    storages : SurveyedStorage
        The servers.
    marks : mapping of str to str
        What the file `MARK` at the root of a server must hold, by ``scheme://host:port`` under which it is
        read. Servers that are not named need none.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        storages: SurveyedStorage,
        marks: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storages = storages
        self._marks = {server_of(root): _Mark(f"{root}/{MARK}", mark) for root, mark in marks.items()}
        self._clock = clock
        self._seen_at: dict[str, float] = {}

    def size_bytes(self, url: str) -> int | None:
        """Return the size, or None when nothing is there."""
        size_bytes = self._storages.size_bytes(url)
        if size_bytes is None:
            self._check(url)
        return size_bytes

    def read_back(self, url: str) -> FileContent:
        """Read the whole file and return its size and checksum."""
        return self._unless_away(lambda: self._storages.read_back(url), url)

    def download(self, url: str, path: Path) -> FileContent:
        """Copy to a local path (temporary name, then rename); return what was read."""
        return self._unless_away(lambda: self._storages.download(url, path), url)

    def upload(self, path: Path, url: str) -> FileContent:
        """Copy from a local path (temporary name, then rename); return what was read back."""
        self._check_lately(url)
        return self._storages.upload(path, url)

    def rename(self, source_url: str, destination_url: str) -> None:
        """Move within one storage; when only the destination exists this was done before, and is no error."""
        self._unless_away(lambda: self._storages.rename(source_url, destination_url), source_url)

    def delete(self, url: str) -> None:
        """Remove; absent is no error."""
        self._check(url)
        self._storages.delete(url)

    def list_files(self, url: str) -> Iterator[str]:
        """Yield the URLs of all complete files below a URL, but of the mark; none when it is absent."""
        self._check(url)
        yield from (one for one in self._storages.list_files(url) if not one.endswith(f"/{MARK}"))
        self._check(url)  # the storage may have gone away, and the rest of the list with it

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files below a URL, unfinished ones too, but not the mark; none when it is absent."""
        self._check(url)
        yield from (one for one in self._storages.everything(url) if not one.url.endswith(f"/{MARK}"))
        self._check(url)

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent | None, FileContent]:
        """Copy to a temporary name beside the destination; return what is known of each end."""
        self._check_lately(destination_url)
        return self._unless_away(
            lambda: self._storages.copy_aside(source_url, destination_url, token, proceed), source_url
        )

    def publish(self, destination_url: str, token: str) -> None:
        """Give the copy its final name, in place of any file that has it."""
        self._check_lately(destination_url)
        self._unless_away(lambda: self._storages.publish(destination_url, token), destination_url)

    def discard(self, destination_url: str, token: str) -> None:
        """Remove what was written aside under this token; absent is no error."""
        self._check(destination_url)
        self._storages.discard(destination_url, token)

    def _unless_away[T](self, act: Callable[[], T], url: str) -> T:
        try:
            return act()
        except NotFound:
            self._check(url)
            raise

    def _check_lately(self, url: str) -> None:
        if self._clock() - self._seen_at.get(server_of(url), -math.inf) >= _SEEN_SECONDS:
            self._check(url)

    def _check(self, url: str) -> None:
        """Refuse to go on where the mark is wrong.

        Raises
        ------
        Unavailable
            When the server shows another mark or none.
        """
        server = server_of(url)
        mark = self._marks.get(server)
        if mark is None:
            return
        try:
            right = self._storages.read_back(mark.url) == mark.content
        except NotFound:
            right = False
        if not right:
            raise Unavailable(
                f"the storage behind {server} is not there: it does not show the right {MARK}",
                code="storage-absent",
                next_step="see whether that server's file system is mounted; nothing is written meanwhile",
                url=url,
            )
        self._seen_at[server] = self._clock()


class _Mark:
    """What a server must show, and where."""

    def __init__(self, url: str, text: str) -> None:
        data = text.encode()
        self.url = url
        self.content = FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}")
