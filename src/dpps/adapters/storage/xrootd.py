"""XRootD's own protocol, ``roots://host:port//…``, as a protocol of storage servers.

TLS from the first byte, also where a URL says ``root://``: tokens are shown to nobody else. Third-party copy
is XRootD's: the destination's server fetches with the token that is shown to it, which opens one path at each
end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from dpps.adapters.storage.credentials import Credentials
from dpps.adapters.storage.server_errors import spoken_error
from dpps.adapters.storage.server_protocol import Entry
from dpps.adapters.storage.server_urls import Address
from dpps.adapters.storage.xrootd_programs import ProgramFailed, XrootdPrograms
from dpps.domain.errors import DppsError, NotFound, Unavailable
from dpps.domain.files import FileContent

__all__ = ["SCHEMES", "XrootdProtocol", "read_listing"]

SCHEMES: Final = ("roots", "root")
_SIZE: Final = re.compile(r"(?m)^Size:\s+(\d+)$")
_FLAGS: Final = re.compile(r"(?m)^Flags:\s+(\d+)")
_IS_FOLDER: Final = 2
"""Flag ``kXR_isDir`` of the protocol."""
_EXISTS: Final = "[3018]"
"""Answer ``kXR_ItExists``; a file in the way shows itself when something is written below it."""
_ADLER32: Final = re.compile(r"adler32 ([0-9a-f]{1,8})")
_LISTED: Final = re.compile(r"([d-])\S{9} +\S+ +\S+ +(\d+) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (/.+)")


class XrootdProtocol:
    """Requests with XRootD's programs; implements ``ServerProtocol``.

    Parameters
    ----------
    programs : XrootdPrograms
        Runs them.
    credentials : Credentials
        What is shown to the servers.
    """

    def __init__(self, programs: XrootdPrograms, credentials: Credentials) -> None:
        self._programs = programs
        self._credentials = credentials

    def entry(self, address: Address) -> Entry | None:
        """Return what is there; None when nothing is."""
        told = self._ask_of_file(address, "stat", address.path)
        if told is None:
            return None
        size, flags = _SIZE.search(told), _FLAGS.search(told)
        if size is None or flags is None:
            raise _unreadable(address.url, told)
        is_folder = bool(int(flags[1]) & _IS_FOLDER)
        return Entry(path=address.path, size_bytes=int(size[1]), is_folder=is_folder)

    def entries(self, folder: Address) -> list[Entry]:
        """Return what lies directly in a folder; nothing when it is absent."""
        return read_listing(self._ask_of_file(folder, "ls", "-l", folder.path) or "", folder.path)

    def read(self, address: Address) -> Iterator[bytes]:
        """Yield the bytes of a file to its end."""
        with _errors(address):
            yield from self._programs.read(self._bearer(address), address.roots)

    def write(self, address: Address, chunks: Iterable[bytes], size_bytes: int) -> None:
        """Write a file, in place of one that has the name."""
        with _errors(address):
            self._programs.write(self._bearer(address), address.roots, chunks)

    def fresh_content(self, address: Address) -> FileContent:
        """Return size and checksum that the server reads of a file that was written a moment ago."""
        told = self._ask(address, "query", "checksum", f"{address.path}?cks.type=adler32").strip()
        checksum, entry = _ADLER32.fullmatch(told), self.entry(address)
        if checksum is None or entry is None:
            raise _unreadable(address.url, told)
        return FileContent(size_bytes=entry.size_bytes, adler32=checksum[1].zfill(8))

    def make_folder(self, folder: Address) -> None:
        """Make a folder and those above; what is there already is no error."""
        with _errors(folder):
            try:
                self._programs.ask(self._bearer(folder), folder.server, "mkdir", "-p", folder.path)
            except ProgramFailed as failed:
                if _EXISTS not in str(failed):
                    raise

    def move(self, source: Address, destination: Address) -> None:
        """Rename on one server, in place of a file that has the name."""
        self._ask(source, "mv", source.path, destination.path)

    def remove(self, address: Address) -> None:
        """Remove a file; absent is no error."""
        self._ask_of_file(address, "rm", address.path)

    def pull(self, source: Address, destination: Address, proceed: Callable[[], None]) -> None:
        """Let the destination's server fetch a file from the source's; what ``proceed`` raises ends it."""
        token = self._credentials.for_copy(source, destination)
        try:
            self._programs.copy(token, source.roots, destination.roots, proceed)
        except ProgramFailed as failed:
            complaint = str(failed)
            at_source = source.path in complaint or not self._is_there(source)
            raise spoken_error(complaint, (source if at_source else destination).url) from failed

    def _is_there(self, address: Address) -> bool:
        """Tell whether a file can be asked for: the program does not always say which end failed."""
        try:
            return self.entry(address) is not None
        except DppsError:
            return False

    def _ask(self, address: Address, *command: str) -> str:
        with _errors(address):
            return self._programs.ask(self._bearer(address), address.server, *command)

    def _ask_of_file(self, address: Address, *command: str) -> str | None:
        """Ask what has no answer when the file is absent."""
        try:
            return self._ask(address, *command)
        except NotFound as missing:
            if missing.identifiers.get("url") != address.url:
                raise  # a program is not installed
            return None

    def _bearer(self, address: Address) -> str | None:
        return self._credentials.bearer(address.server)


def read_listing(told: str, folder: str) -> list[Entry]:
    """Return the entries of a folder that ``xrdfs ls -l`` wrote, one in a line.

    What is neither a file nor a folder of this folder is left out: no name of ours has a line break.
    """
    found = (_LISTED.fullmatch(line) for line in told.split("\n"))
    return [
        Entry(
            path=match[4],
            size_bytes=int(match[2]),
            is_folder=match[1] == "d",
            changed_at=datetime.fromisoformat(match[3]).replace(tzinfo=UTC),
        )
        for match in found
        if match and match[4].rpartition("/")[0] == folder and match[4] != f"{folder}/"
    ]


@contextmanager
def _errors(address: Address) -> Iterator[None]:
    try:
        yield
    except ProgramFailed as failed:
        raise spoken_error(str(failed), address.url) from failed


def _unreadable(url: str, told: str) -> Unavailable:
    return Unavailable(
        f"the storage tells nothing that can be read of {url}: {told[:300]!a}",
        code="storage-no-checksum",
        next_step="look at the log of that storage server; it must compute adler32",
        retryable=False,
        url=url,
    )
