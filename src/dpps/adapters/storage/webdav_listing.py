"""What a WebDAV server says about files and folders (RFC 4918, ``PROPFIND``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from xml.etree import ElementTree

from dpps.adapters.storage.server_protocol import Entry
from dpps.domain.errors import Unavailable

__all__ = ["read_listing"]

_DAV: Final = "{DAV:}"


def read_listing(document: bytes, url: str) -> list[Entry]:
    """Return the entries of a multi-status document.

    XRootD writes paths as they are, not percent-encoded.

    Raises
    ------
    Unavailable
        When the document cannot be read.
    """
    # A declaration of entities can make a small document huge in memory; no server needs one here.
    if b"<!" in document:
        raise _unreadable(url, "it declares entities")
    try:
        return list(_entries(ElementTree.fromstring(document)))  # noqa: S314 - no entities, see above
    except (ElementTree.ParseError, ValueError) as wrong:
        raise _unreadable(url, str(wrong)) from wrong


def _entries(root: ElementTree.Element) -> Iterator[Entry]:
    for response in root.iter(f"{_DAV}response"):
        href = response.findtext(f"{_DAV}href", default="")
        length = next((one.text for one in response.iter(f"{_DAV}getcontentlength")), None)
        is_folder = next(response.iter(f"{_DAV}collection"), None) is not None
        if not href.startswith("/"):
            raise ValueError(f"an entry has the path {href!r}")
        path = "/" + "/".join(part for part in href.split("/") if part)
        changed = next((one.text for one in response.iter(f"{_DAV}getlastmodified")), None)
        changed_at = _time(changed) if changed else None
        yield Entry(path=path, size_bytes=int(length or 0), is_folder=is_folder, changed_at=changed_at)


def _time(text: str) -> datetime:
    """Return a time of HTTP (RFC 9110 section 5.6.7), which is in UTC.

    Raises
    ------
    ValueError
        When it is none.
    """
    return parsedate_to_datetime(text).replace(tzinfo=UTC)


def _unreadable(url: str, why: str) -> Unavailable:
    return Unavailable(
        f"the listing of {url} cannot be read: {why}",
        code="storage-listing",
        next_step="look at the log of that storage server",
        url=url,
    )
