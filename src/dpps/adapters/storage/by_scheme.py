"""Several kinds of storage as one: the scheme of a URL chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from dpps.data.audit.ports import SurveyedStorage
from dpps.data.audit.records import ListedFile
from dpps.domain.errors import InvalidInput
from dpps.domain.files import FileContent

__all__ = ["StorageByScheme", "StreamedStorage"]


class StreamedStorage(SurveyedStorage, Protocol):
    """A storage whose bytes can pass through this process on their way to another kind."""

    def read_chunks(self, url: str) -> Iterator[bytes]:
        """Yield the bytes of a file, to its end."""
        ...

    def write_aside(self, url: str, token: str, chunks: Iterable[bytes], size_bytes: int) -> FileContent:
        """Write bytes under the temporary name that belongs to a token; return what was read back."""
        ...


class StorageByScheme:
    """Implements ``SurveyedStorage`` by handing every call to the right kind.

    A copy within one kind is that kind's own affair (third-party copy, local copy); between two kinds the
    bytes stream through this process.

    Parameters
    ----------
    kinds : mapping of str to StreamedStorage
        By scheme; one storage may have several.
    """

    def __init__(self, kinds: Mapping[str, StreamedStorage]) -> None:
        self._kinds = dict(kinds)

    def size_bytes(self, url: str) -> int | None:
        """Return the size, or None when nothing is there."""
        return self._kind(url).size_bytes(url)

    def read_back(self, url: str) -> FileContent:
        """Read the whole file and return its size and checksum."""
        return self._kind(url).read_back(url)

    def download(self, url: str, path: Path) -> FileContent:
        """Copy to a local path (temporary name, then rename); return what was read."""
        return self._kind(url).download(url, path)

    def upload(self, path: Path, url: str) -> FileContent:
        """Copy from a local path (temporary name, then rename); return what was read back."""
        return self._kind(url).upload(path, url)

    def rename(self, source_url: str, destination_url: str) -> None:
        """Move within one storage; when only the destination exists this was done before, and is no error."""
        kind = self._kind(source_url)
        if kind is not self._kind(destination_url):
            raise InvalidInput(
                f"{source_url} cannot be renamed to {destination_url}, which is another kind of storage",
                code="rename-across-storages",
                next_step="copy the file, then delete it at its old place",
                url=source_url,
            )
        kind.rename(source_url, destination_url)

    def delete(self, url: str) -> None:
        """Remove; absent is no error."""
        self._kind(url).delete(url)

    def list_files(self, url: str) -> Iterator[str]:
        """Yield the URLs of all complete files below a URL."""
        return self._kind(url).list_files(url)

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files below a URL, unfinished ones too."""
        return self._kind(url).everything(url)

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent | None, FileContent]:
        """Copy to a temporary name beside the destination; return what is known of each end."""
        source, destination = self._kind(source_url), self._kind(destination_url)
        if source is destination:
            return source.copy_aside(source_url, destination_url, token, proceed)
        size_bytes = source.size_bytes(source_url) or 0
        chunks = _watched(source.read_chunks(source_url), proceed)
        written = destination.write_aside(destination_url, token, chunks, size_bytes)
        proceed()
        # `write_aside` has compared what it read back with what passed through.
        return written, written

    def publish(self, destination_url: str, token: str) -> None:
        """Give the copy its final name in one step, in place of any file that has it."""
        self._kind(destination_url).publish(destination_url, token)

    def discard(self, destination_url: str, token: str) -> None:
        """Remove what `copy_aside` left under this token; absent is no error."""
        self._kind(destination_url).discard(destination_url, token)

    def _kind(self, url: str) -> StreamedStorage:
        scheme = url.partition("://")[0]
        try:
            return self._kinds[scheme]
        except KeyError:
            raise InvalidInput(
                f"no storage of this system has URLs like {url[:300]!a}",
                code="url-scheme-unsupported",
                next_step=f"use one of: {', '.join(sorted(self._kinds))}",
                url=url,
            ) from None


def _watched(chunks: Iterable[bytes], proceed: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks:
        proceed()
        yield chunk
