"""Storage on a mounted file system, ``file://localhost/…``."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dpps.adapters.storage.byte_streams import (
    copy_bytes,
    open_local,
    read_content,
    sync_folder,
    write_chunks,
)
from dpps.adapters.storage.file_errors import file_errors, mapped_file_error
from dpps.adapters.storage.file_urls import MARK, FileUrls
from dpps.data.audit.records import ListedFile
from dpps.domain.errors import Conflict, DamagedFile, NotFound
from dpps.domain.files import FileContent

__all__ = ["PosixStorage"]

_TEMPORARY_PREFIX: Final = ".dpps-"
"""No LFN component begins with a full stop, so no product can be taken for a temporary file."""

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})
"""File systems without hard links, or files of another user: there a look comes before the rename, and
only there could another writer come between the two."""


class PosixStorage:
    """Files below the roots of storage elements; implements ``SurveyedStorage``.

    A file appears under its name complete, read back and safe on disk, or not at all.

    Parameters
    ----------
    roots : sequence of pathlib.Path
        Folders that may be touched; empty allows the whole file system.
    marks : mapping of pathlib.Path to str, optional
        Roots that are a storage only while they show these marks.
    """

    def __init__(self, roots: Sequence[Path] = (), marks: Mapping[Path, str] | None = None) -> None:
        self._urls = FileUrls(roots, marks)

    def size_bytes(self, url: str) -> int | None:
        """Return the size, or None when nothing is there."""
        path = self._urls.path(url)
        try:
            with file_errors(url):
                status = path.stat()
        except NotFound:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise Conflict(
                f"{url} is not a regular file",
                code="storage-not-a-file",
                next_step="move it out of the way",
                url=url,
            )
        return status.st_size

    def read_back(self, url: str) -> FileContent:
        """Read the whole file and return its size and checksum."""
        path = self._urls.path(url)
        return read_content(path, name=url)

    def download(self, url: str, path: Path) -> FileContent:
        """Copy to a local path (temporary name, then rename); return what was read."""
        return _copy_and_replace(self._urls.path(url), path, names=(url, str(path)))

    def upload(self, path: Path, url: str) -> FileContent:
        """Copy from a local path (temporary name, then rename); return what was read back."""
        return _copy_and_replace(
            path, self._urls.path(url), names=(str(path), url), still=lambda: self._urls.path(url)
        )

    def rename(self, source_url: str, destination_url: str) -> None:
        """Move within one storage; when only the destination exists this was done before, and is no error.

        Raises
        ------
        NotFound
            When neither exists.
        Conflict
            When another file has the destination's name; it is left as it is.
        """
        source, destination = self._urls.path(source_url), self._urls.path(destination_url)
        with file_errors(destination_url):
            destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            # A hard link fails where a rename would silently replace another file.
            destination.hardlink_to(source)
        except FileNotFoundError:
            if self.size_bytes(destination_url) is None:
                raise NotFound(
                    f"there is no file {source_url} to rename",
                    code="file-missing",
                    next_step="check the name, or restore a copy",
                    url=source_url,
                ) from None
            return
        except FileExistsError:
            _refuse_another_file(source, destination, destination_url)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise mapped_file_error(error, destination_url) from error
            _refuse_another_file(source, destination, destination_url)
            with file_errors(destination_url):
                source.rename(destination)
        with file_errors(source_url):
            source.unlink(missing_ok=True)
            sync_folder(destination.parent)

    def delete(self, url: str) -> None:
        """Remove; absent is no error."""
        path = self._urls.path(url)
        with file_errors(url):
            path.unlink(missing_ok=True)

    def list_files(self, url: str) -> Iterator[str]:
        """Yield the URLs of all complete files below a URL, in order of names; none when it is absent."""
        for path, _ in self._files(url):
            if not path.name.startswith((_TEMPORARY_PREFIX, MARK)):
                yield self._urls.url(path)

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files below a URL, unfinished ones too, but not the mark; none when it is absent."""
        for path, status in self._files(url):
            if path.name != MARK:
                changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
                yield ListedFile(url=self._urls.url(path), changed_at=changed_at)
        self._urls.path(url)  # the storage may have gone away, and the rest of the list with it

    def _files(self, url: str) -> Iterator[tuple[Path, os.stat_result]]:
        top = self._urls.path(url)
        if top.exists():
            with file_errors(url):
                yield from _regular_files(top)

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent, FileContent]:
        """Copy to a temporary name beside the destination; return what was read at each end."""
        source, destination = self._urls.path(source_url), self._urls.path(destination_url)
        temporary = _temporary(destination, token)
        self.discard(destination_url, token)
        read = copy_bytes(source, temporary, names=(source_url, destination_url), proceed=proceed)
        return read, read_content(temporary, name=destination_url, proceed=proceed)

    def read_chunks(self, url: str) -> Iterator[bytes]:
        """Yield the bytes of a file, to its end."""
        with open_local(self._urls.path(url), url) as (chunks, _):
            yield from chunks

    def write_aside(self, url: str, token: str, chunks: Iterable[bytes], size_bytes: int) -> FileContent:
        """Write bytes of a known length under a temporary name; return what was read back.

        Raises
        ------
        DamagedFile
            When other bytes were read back than written, or more or fewer came than announced.
        """
        temporary = _temporary(self._urls.path(url), token)
        given = write_chunks(temporary, chunks, url)
        written = read_content(temporary, name=url)
        if written != given or written.size_bytes != size_bytes:
            raise _damaged(url, f"{given} (announced: {size_bytes} bytes)", written)
        return written

    def publish(self, destination_url: str, token: str) -> None:
        """Give the copy its final name, in place of any file that has it."""
        destination = self._urls.path(destination_url)
        with file_errors(destination_url):
            _temporary(destination, token).replace(destination)
            sync_folder(destination.parent)

    def discard(self, destination_url: str, token: str) -> None:
        """Remove what `copy_aside` left under this token; absent is no error."""
        destination = self._urls.path(destination_url)
        with file_errors(destination_url):
            _temporary(destination, token).unlink(missing_ok=True)


def _temporary(destination: Path, token: str) -> Path:
    return destination.with_name(f"{_TEMPORARY_PREFIX}{token}")


def _copy_and_replace(
    source: Path,
    destination: Path,
    *,
    names: tuple[str, str],
    still: Callable[[], object] = lambda: None,
) -> FileContent:
    temporary = _temporary(destination, uuid.uuid4().hex)
    try:
        read = copy_bytes(source, temporary, names=names)
        written = read_content(temporary, name=names[1])
        if written != read:
            raise _damaged(names[1], str(read), written)
        still()  # raises when the storage went away while it was copied to
        with file_errors(names[1]):
            temporary.replace(destination)
            sync_folder(destination.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def _damaged(url: str, given: str, written: FileContent) -> DamagedFile:
    return DamagedFile(
        f"{url} was not written as it was read: {written} instead of {given}",
        code="copy-damaged",
        next_step="try again; if it happens again check memory and disk of this machine",
        retryable=True,
        url=url,
    )


def _refuse_another_file(source: Path, destination: Path, destination_url: str) -> None:
    with file_errors(destination_url):
        both = source.exists() and destination.exists()
        if both and not source.samefile(destination):
            raise Conflict(
                f"{destination_url} exists already",
                code="destination-exists",
                next_step="compare the two files and delete the wrong one",
                url=destination_url,
            )


def _regular_files(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, names in os.walk(top, onerror=_raise_unless_gone):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # deleted or renamed while we look
            if stat.S_ISREG(status.st_mode):
                yield path, status


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
