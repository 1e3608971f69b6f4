"""HTTPS with WebDAV and third-party copy, ``davs://host:port/…``, as a protocol of storage servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dpps.adapters.storage.byte_streams import CHUNK_BYTES
from dpps.adapters.storage.server_protocol import Entry
from dpps.adapters.storage.server_urls import Address
from dpps.adapters.storage.third_party_copy import pull
from dpps.adapters.storage.webdav_client import WebdavClient
from dpps.adapters.storage.webdav_listing import read_listing
from dpps.domain.errors import Unavailable
from dpps.domain.files import FileContent

__all__ = ["SCHEMES", "WebdavProtocol"]

SCHEMES: Final = ("davs", "https")
_ADLER32: Final = re.compile(r"(?i)\badler32=([0-9a-f]{1,8})\b")
_MISSING: Final = frozenset({404})
_EXISTS: Final = frozenset({405})


class WebdavProtocol:
    """Requests over HTTPS; implements ``ServerProtocol``.

    Parameters
    ----------
    client : WebdavClient
        Connections and credential.
    """

    def __init__(self, client: WebdavClient) -> None:
        self._client = client

    def entry(self, address: Address) -> Entry | None:
        """Return what is there; None when nothing is."""
        answer = self._client.request("PROPFIND", address, headers={"Depth": "0"}, accept=_MISSING)
        if answer.status_code in _MISSING:
            return None
        found = next(iter(read_listing(answer.content, address.url)), None)
        # A server that describes nothing where it says that something is: no file of ours.
        return found or Entry(path=address.path, size_bytes=0, is_folder=True)

    def entries(self, folder: Address) -> list[Entry]:
        """Return what lies directly in a folder; nothing when it is absent."""
        answer = self._client.request("PROPFIND", folder, headers={"Depth": "1"}, accept=_MISSING)
        if answer.status_code in _MISSING:
            return []
        entries = read_listing(answer.content, folder.url)
        return [one for one in entries if one.path != folder.path or not one.is_folder]

    def read(self, address: Address) -> Iterator[bytes]:
        """Yield the bytes of a file to its end."""
        with self._client.stream("GET", address) as answer:
            yield from answer.iter_raw(CHUNK_BYTES)

    def write(self, address: Address, chunks: Iterable[bytes], size_bytes: int) -> None:
        """Write a file, in place of one that has the name; HTTP tells its length first."""
        headers = {"Content-Length": str(size_bytes)}
        self._client.request("PUT", address, headers=headers, content=iter(chunks))

    def fresh_content(self, address: Address) -> FileContent:
        """Return size and checksum that the server reads of a file that was written a moment ago."""
        answer = self._client.request("HEAD", address, headers={"Want-Digest": "adler32"})
        digest = _ADLER32.search(answer.headers.get("digest", ""))
        if digest is None:
            raise Unavailable(
                f"the storage tells no adler32 checksum of {address.url}",
                code="storage-no-checksum",
                next_step="let the server compute adler32 (xrootd.chksum max 2 adler32)",
                retryable=False,
                url=address.url,
            )
        return FileContent(
            size_bytes=int(answer.headers["content-length"]), adler32=digest[1].lower().zfill(8)
        )

    def make_folder(self, folder: Address) -> None:
        """Make a folder; the server makes those above too."""
        self._client.request("MKCOL", folder, accept=_EXISTS)

    def move(self, source: Address, destination: Address) -> None:
        """Rename on one server, in place of a file that has the name."""
        headers = {"Destination": destination.https, "Overwrite": "T"}
        self._client.request("MOVE", source, headers=headers)

    def remove(self, address: Address) -> None:
        """Remove a file; absent is no error."""
        self._client.request("DELETE", address, accept=_MISSING)

    def pull(self, source: Address, destination: Address, proceed: Callable[[], None]) -> None:
        """Let the destination's server fetch a file from the source's; what ``proceed`` raises ends it."""
        pull(self._client, source, destination, proceed)
