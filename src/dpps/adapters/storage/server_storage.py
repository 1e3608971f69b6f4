"""Files on storage servers: what is the same over HTTPS and over XRootD's own protocol."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dpps.adapters.storage.byte_streams import open_local, write_chunks
from dpps.adapters.storage.server_protocol import Entry, ServerProtocol
from dpps.adapters.storage.server_urls import TEMPORARY_PREFIX, Address, ServerUrls
from dpps.data.audit.records import ListedFile
from dpps.domain.errors import Conflict, DamagedFile, DppsError, NotFound, Unavailable
from dpps.domain.files import FileContent

__all__ = ["ServerStorage"]

_FOLDERS_REMEMBERED: Final = 10_000


class ServerStorage:
    """Files on storage servers; implements ``SurveyedStorage``.

    A file appears under its name complete and checked, or not at all. Where bytes have just been written
    under a temporary name of our own, the server reads them and tells their checksum; `read_back` of a
    published file fetches every byte, since servers remember checksums of files that have rotted since.

    Parameters
    ----------
    protocol : ServerProtocol
        Makes the requests.
    schemes : collection of str
        What URLs begin with.
    servers : sequence of str
        ``host:port`` of the storage elements.
    """

    def __init__(self, protocol: ServerProtocol, schemes: Collection[str], servers: Sequence[str]) -> None:
        self._protocol = protocol
        self._urls = ServerUrls(schemes, servers)
        self._made: set[tuple[str, str]] = set()

    def size_bytes(self, url: str) -> int | None:
        """Return the size, or None when nothing is there."""
        return self._size_bytes(self._urls.address(url))

    def read_back(self, url: str) -> FileContent:
        """Fetch the whole file and return its size and checksum."""
        size_bytes, checksum = 0, zlib.adler32(b"")
        for chunk in self.read_chunks(url):
            size_bytes += len(chunk)
            checksum = zlib.adler32(chunk, checksum)
        return FileContent(size_bytes=size_bytes, adler32=f"{checksum:08x}")

    def read_chunks(self, url: str) -> Iterator[bytes]:
        """Yield the bytes of a file, to its end.

        Raises
        ------
        NotFound, Unavailable
            When it is absent, or breaks off.
        """
        yield from self._protocol.read(self._urls.address(url))

    def download(self, url: str, path: Path) -> FileContent:
        """Copy to a local path (temporary name, then rename); return what was read."""
        return write_chunks(path, self.read_chunks(url))

    def upload(self, path: Path, url: str) -> FileContent:
        """Copy from a local path (temporary name, then rename); return what was read back."""
        token = uuid.uuid4().hex
        try:
            with open_local(path) as (chunks, size_bytes):
                written = self.write_aside(url, token, chunks, size_bytes)
            self.publish(url, token)
        except BaseException as error:
            self._discard_after(error, url, token)
            raise
        return written

    def write_aside(self, url: str, token: str, chunks: Iterable[bytes], size_bytes: int) -> FileContent:
        """Write bytes under a temporary name; return what was read back.

        Parameters
        ----------
        url : str
            The final name, which is not touched.
        token : str
            Owner of the temporary name.
        chunks : iterable of bytes
            The content.
        size_bytes : int
            Its length.

        Raises
        ------
        DamagedFile
            When other bytes were read back than written.
        """
        temporary = self._urls.address(url).beside(token)
        # Asked first, so that a refusal is told in words: a server breaks off an upload that it refuses.
        self._make_folder(temporary)
        counted = _Counted(chunks)
        self._protocol.write(temporary, counted.pieces(), size_bytes)
        written = self._protocol.fresh_content(temporary)
        if written != counted.content:
            raise DamagedFile(
                f"{url} was not written as it was read: {written} instead of {counted.content}",
                code="copy-damaged",
                next_step="try again; if it happens again check memory and disk of both machines",
                retryable=True,
                url=url,
            )
        return written

    def rename(self, source_url: str, destination_url: str) -> None:
        """Move within one storage; when only the destination exists this was done before, and is no error.

        XRootD replaces what has the name, so a look comes before the move: only between the two
        could another writer come.

        Raises
        ------
        NotFound
            When neither exists.
        Conflict
            When another file has the destination's name; it is left as it is.
        """
        source, destination = self._urls.address(source_url), self._urls.address(destination_url)
        there = self._size_bytes(destination) is not None
        if self._size_bytes(source) is None:
            if there:
                return
            raise NotFound(
                f"there is no file {source_url} to rename",
                code="file-missing",
                next_step="check the name, or restore a copy",
                url=source_url,
            )
        if there:
            raise Conflict(
                f"{destination_url} exists already",
                code="destination-exists",
                next_step="compare the two files and delete the wrong one",
                url=destination_url,
            )
        self._make_folder(destination)
        self._move(source, destination)

    def delete(self, url: str) -> None:
        """Remove; absent is no error."""
        self._delete(self._urls.address(url))

    def list_files(self, url: str) -> Iterator[str]:
        """Yield the URLs of all complete files below a URL, in order of names; none when it is absent."""
        address = self._urls.address(url)
        yield from (address.root + entry.path for entry in self._files(address) if _is_complete(entry))

    def everything(self, url: str) -> Iterator[ListedFile]:
        """Yield all files below a URL, unfinished ones and the mark of the storage too."""
        address = self._urls.address(url)
        for entry in self._files(address):
            yield ListedFile(url=address.root + entry.path, changed_at=entry.changed_at)

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent | None, FileContent]:
        """Let the destination fetch a copy under a temporary name; return what its server read there.

        Nothing is known of the source but that its server sent everything.
        """
        source, destination = self._urls.address(source_url), self._urls.address(destination_url)
        temporary = destination.beside(token)
        self._make_folder(temporary)
        try:
            self._protocol.pull(source, temporary, proceed)
        except NotFound as missing:
            if missing.identifiers.get("url") != destination_url:
                raise
            # Somebody has removed the folder since we made it.
            self._made.clear()
            self._make_folder(temporary)
            self._protocol.pull(source, temporary, proceed)
        proceed()
        return None, self._protocol.fresh_content(temporary)

    def publish(self, destination_url: str, token: str) -> None:
        """Give the copy its final name, in place of any file that has it."""
        destination = self._urls.address(destination_url)
        self._move(destination.beside(token), destination)

    def discard(self, destination_url: str, token: str) -> None:
        """Remove what was written aside under this token; absent is no error."""
        self._delete(self._urls.address(destination_url).beside(token))

    def _size_bytes(self, address: Address) -> int | None:
        entry = self._protocol.entry(address)
        if entry is None:
            return None
        if entry.is_folder:
            raise _not_a_file(address.url)
        return entry.size_bytes

    def _files(self, top: Address) -> Iterator[Entry]:
        folders = [top.path]
        while folders:
            found = self._entries(top.at(folders.pop()))
            yield from (entry for entry in found if not entry.is_folder)
            folders.extend(entry.path for entry in reversed(found) if entry.is_folder)

    def _entries(self, folder: Address) -> list[Entry]:
        return sorted(self._protocol.entries(folder), key=lambda entry: entry.path)

    def _make_folder(self, address: Address) -> None:
        """Make the folders above; the server makes all that are missing, and is silent about those there."""
        folder = (address.server, address.folder)
        if folder not in self._made:
            self._protocol.make_folder(address.at(address.folder))
            if len(self._made) >= _FOLDERS_REMEMBERED:
                self._made.clear()
            self._made.add(folder)

    def _move(self, source: Address, destination: Address) -> None:
        try:
            self._protocol.move(source, destination)
        except Unavailable:
            # The answer may have been lost, not the request.
            if self._size_bytes(source) is not None or self._size_bytes(destination) is None:
                raise

    def _delete(self, address: Address) -> None:
        """Remove a file; the server would remove an empty folder too, so a look comes first."""
        if self._size_bytes(address) is not None:
            self._protocol.remove(address)

    def _discard_after(self, error: BaseException, url: str, token: str) -> None:
        """Remove a leftover while an error is on its way, which says more than a second one."""
        try:
            self.discard(url, token)
        except DppsError as left:
            error.add_note(f"what was written may be left under the name {token}: {left.message}")


class _Counted:
    """Counts and checksums chunks as they pass."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._size_bytes = 0
        self._checksum = zlib.adler32(b"")

    def pieces(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._size_bytes += len(chunk)
            self._checksum = zlib.adler32(chunk, self._checksum)
            yield chunk

    @property
    def content(self) -> FileContent:
        return FileContent(size_bytes=self._size_bytes, adler32=f"{self._checksum:08x}")


def _is_complete(entry: Entry) -> bool:
    return not entry.path.rpartition("/")[2].startswith(TEMPORARY_PREFIX)


def _not_a_file(url: str) -> Conflict:
    return Conflict(
        f"{url} is a folder, not a file",
        code="storage-not-a-file",
        next_step="move it out of the way",
        url=url,
    )
