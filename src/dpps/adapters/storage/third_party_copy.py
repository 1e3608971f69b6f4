"""HTTP third-party copy: the destination fetches the bytes from the source, they do not pass through us.

The protocol, "HTTP-TPC" in pull mode: https://twiki.cern.ch/twiki/bin/view/LCG/HttpTpcTechnical.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from dpps.adapters.storage.server_errors import spoken_error
from dpps.adapters.storage.server_urls import Address
from dpps.adapters.storage.webdav_client import WebdavClient
from dpps.domain.errors import Unavailable

__all__ = ["pull"]

_REMOTE_STATUS: Final = re.compile(
    r"(?i)(?:remote side|source|remote server).{0,80}status(?: code)?:? (\d{3})"
)
_SOURCE_WORDS: Final = ("remote side", "remote server", "curl", "connect", "source", "transfer stalled")
"""What the destination writes when the other end is the one that failed."""


def pull(client: WebdavClient, source: Address, destination: Address, proceed: Callable[[], None]) -> None:
    """Let the destination fetch a file; return when it says that all bytes have been written.

    Parameters
    ----------
    client : WebdavClient
        Talks to the destination.
    source, destination : Address
        From where, to where; the folder at the destination exists.
    proceed : callable
        Called at every sign of progress (a few seconds apart); what it raises ends the copy, and the
        destination stops fetching.

    Raises
    ------
    DppsError
        With the URL of the end that failed in its identifier ``url``.
    """
    token = client.credentials.for_reader(source.server, source.path)
    headers = {
        "TransferHeaderAuthorization": f"Bearer {token}",
        "Source": source.https,
        "Credential": "none",
        "Overwrite": "T",
        "Require-Checksum-Verification": "false",
    }
    with client.stream("COPY", destination, headers=headers) as answer:
        verdict = _last_word(answer.iter_lines(), proceed)
    if verdict is None:
        raise Unavailable(
            f"the storage stopped telling of the copy to {destination.url}",
            code="storage-connection-broken",
            next_step="nothing: the same is tried again by itself",
            url=destination.url,
        )
    if not verdict.lower().startswith("success"):
        raise spoken_error(_readable(verdict), _failed_end(verdict, source, destination).url)


def _last_word(lines: Iterable[str], proceed: Callable[[], None]) -> str | None:
    """Read performance markers to the end; return the verdict, None when the answer ended without one."""
    verdict = None
    for line in lines:
        text = line.strip()
        if text == "End":
            proceed()
        elif text.lower().startswith(("success", "failure", "aborted")):
            verdict = text
    return verdict


def _failed_end(verdict: str, source: Address, destination: Address) -> Address:
    lowered = verdict.lower()
    return source if any(words in lowered for words in _SOURCE_WORDS) else destination


def _readable(verdict: str) -> str:
    """Put the words of a status beside its number, since only the number is told of the other end."""
    status = _REMOTE_STATUS.search(verdict)
    words = {"404": "no such file", "403": "permission denied", "401": "permission denied"}
    return f"{verdict} ({words[status[1]]})" if status and status[1] in words else verdict
