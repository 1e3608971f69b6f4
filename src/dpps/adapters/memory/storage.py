"""A storage whose bytes live in this process."""

from __future__ import annotations

import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from dpps.data.audit.records import ListedFile
from dpps.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from dpps.domain.files import FileContent

__all__ = ["MemoryStorage"]


class MemoryStorage:
    """Implements ``SurveyedStorage`` in a dictionary.

    Attributes
    ----------
    files : dict of str to bytes
        Complete files by URL, for tests to inspect and to damage.
    copies : dict of (str, str) to bytes
        Copies under way, by destination URL and token.
    changed_at : dict of str to datetime
        When files were last written to, by the URL that the survey shows, where tests say so.
    unreachable : set of str
        Beginnings of the URLs whose storage does not answer readers now.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.copies: dict[tuple[str, str], bytes] = {}
        self.changed_at: dict[str, datetime] = {}
        self.unreachable: set[str] = set()
        self._lock = threading.RLock()

    def size_bytes(self, url: str) -> int | None:
        """Return the size, or None when nothing is there."""
        self._reach(url)
        data = self.files.get(_checked(url))
        return None if data is None else len(data)

    def _reach(self, url: str) -> None:
        if any(url.startswith(prefix) for prefix in self.unreachable):
            raise Unavailable(f"the storage of {url} does not answer", next_step="let it answer", url=url)

    def read_back(self, url: str) -> FileContent:
        """Read the whole file and return its size and checksum."""
        return _content(self._data(url))

    def download(self, url: str, path: Path) -> FileContent:
        """Copy to a local path (temporary name, then rename); return what was read."""
        data = self._data(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".dpps-{uuid.uuid4().hex}")
        temporary.write_bytes(data)
        temporary.replace(path)
        return _content(data)

    def upload(self, path: Path, url: str) -> FileContent:
        """Copy from a local path; return what was read back."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise _missing(str(path)) from None
        self.files[_checked(url)] = data
        return _content(data)

    def rename(self, source_url: str, destination_url: str) -> None:
        """Move; when only the destination exists this was done before, and is no error."""
        with self._lock:
            source, destination = _checked(source_url), _checked(destination_url)
            if source not in self.files and destination not in self.files:
                raise _missing(source)
            if source in self.files and destination in self.files:
                raise Conflict(
                    f"{destination} exists already",
                    code="destination-exists",
                    next_step="compare the two files and delete the wrong one",
                    url=destination,
                )
            if source in self.files:
                self.files[destination] = self.files.pop(source)

    def delete(self, url: str) -> None:
        """Remove; absent is no error."""
        self.files.pop(_checked(url), None)

    def list_files(self, url: str) -> Iterator[str]:
        """Yield the URLs of all complete files below a URL, in order of names."""
        top = _checked(url).rstrip("/") + "/"
        yield from sorted(name for name in self.files if name.startswith(top))

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files below a URL, copies under way too, in order of names."""
        self._reach(url)
        top = _checked(url).rstrip("/") + "/"
        aside = {f"{final.rpartition('/')[0]}/.dpps-{token}" for final, token in self.copies}
        for name in sorted({*self.files, *aside}):
            if name.startswith(top):
                yield ListedFile(url=name, changed_at=self.changed_at.get(name))

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent, FileContent]:
        """Copy to a temporary name beside the destination; return what was read at each end."""
        data = self._data(source_url)
        proceed()
        self.copies[_checked(destination_url), token] = data
        proceed()
        return _content(data), _content(self.copies[destination_url, token])

    def publish(self, destination_url: str, token: str) -> None:
        """Give the copy its final name, in place of any file that has it."""
        self.files[destination_url] = self.copies.pop((_checked(destination_url), token))

    def discard(self, destination_url: str, token: str) -> None:
        """Remove what `copy_aside` left under this token; absent is no error."""
        self.copies.pop((_checked(destination_url), token), None)

    def _data(self, url: str) -> bytes:
        self._reach(url)
        try:
            return self.files[_checked(url)]
        except KeyError:
            raise _missing(url) from None


def _content(data: bytes) -> FileContent:
    return FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}")


def _missing(name: str) -> NotFound:
    return NotFound(
        f"there is no file {name}",
        code="file-missing",
        next_step="check the name, or restore a copy",
        url=name,
    )


def _checked(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not scheme or not separator or ".." in rest.split("/"):
        raise InvalidInput(
            f"the URL {url!r} is refused: it has no scheme, or '..' in its path",
            code="url-refused",
            next_step="give a URL like file://localhost/<absolute path>",
            url=url,
        )
    return url
