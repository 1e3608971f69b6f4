"""Answers of storage servers and failures on the way to them, mapped to our errors at the rim."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from dpps.domain.errors import (
    Conflict,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    StorageFull,
    Unavailable,
)

__all__ = ["TRANSPORT_MEANINGS", "server_errors", "spoken_error", "status_error"]

_LONGEST_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: type[DppsError]
    code: str
    what: str
    next_step: str
    retryable: bool | None = None


_MISSING = _Meaning(NotFound, "file-missing", "there is no file", "check the name, or restore a copy")
_DENIED = _Meaning(
    NotAuthorized,
    "storage-access-denied",
    "the storage denies access to",
    "use the credential of a service that may; see the how-to on storage with XRootD",
)
_FULL = _Meaning(
    StorageFull, "storage-full", "no room is left for", "free space on this storage, or add some"
)
_NOT_A_FILE = _Meaning(
    Conflict,
    "storage-not-a-file",
    "a folder or a special file stands in the way at",
    "move it out of the way",
)
_NAME = _Meaning(InvalidInput, "storage-name-refused", "the storage refuses", "use a shorter, plain name")
_BUSY = _Meaning(
    Unavailable, "storage-busy", "the storage is busy with", "nothing: the same is tried again by itself"
)
_FAILED = _Meaning(
    Unavailable, "storage-failed", "the storage failed at", "look at the log of that storage server"
)
_NO_ANSWER = _Meaning(
    Unavailable,
    "storage-no-answer",
    "the storage does not answer for",
    "see whether its server runs: dpps status",
)
_BROKEN = _Meaning(
    Unavailable,
    "storage-connection-broken",
    "the connection to the storage broke at",
    "nothing: the same is tried again by itself",
)
_UNTRUSTED = _Meaning(
    NotAuthorized,
    "storage-untrusted",
    "the storage does not prove who it is, so nothing was sent to it, for",
    "give it a certificate of the authority that this system trusts",
)
_OURS = _Meaning(
    Unavailable,
    "storage-request-failed",
    "a request could not be made for",
    "report this: it is a fault of dpps",
)

_BY_STATUS: Final[dict[int, _Meaning]] = {
    400: _NAME,
    401: _DENIED,
    403: _DENIED,
    404: _MISSING,
    408: _BROKEN,
    409: _NOT_A_FILE,
    413: _FULL,
    414: _NAME,
    423: _BUSY,
    429: _BUSY,
    503: _BUSY,
    507: _FULL,
}

_BY_WORDS: Final[tuple[tuple[str, _Meaning], ...]] = (
    ("no space left", _FULL),
    ("quota exceeded", _FULL),
    ("no such file", _MISSING),
    ("permission denied", _DENIED),
    ("read-only file system", _DENIED),
    ("is a directory", _NOT_A_FILE),
    ("not a directory", _NOT_A_FILE),
    ("file name too long", _NAME),
    ("certificate", _UNTRUSTED),
    ("tls error", _UNTRUSTED),
    ("auth failed", _DENIED),
    ("resolve host", _NO_ANSWER),
    ("connect", _NO_ANSWER),
    ("timed out", _BROKEN),
    ("expired", _BROKEN),
    ("timeout", _BROKEN),
    ("stalled", _BROKEN),
)
"""What servers and programs write (``strerror``, libcurl, XRootD), where a number says too little."""

TRANSPORT_MEANINGS: Final[dict[type[httpx.HTTPError], _Meaning]] = {
    httpx.ConnectTimeout: _NO_ANSWER,
    httpx.ConnectError: _NO_ANSWER,
    httpx.ReadTimeout: _BROKEN,
    httpx.WriteTimeout: _BROKEN,
    httpx.PoolTimeout: _BUSY,
    httpx.ReadError: _BROKEN,
    httpx.WriteError: _BROKEN,
    httpx.CloseError: _BROKEN,
    httpx.RemoteProtocolError: _BROKEN,
    httpx.LocalProtocolError: _OURS,
    httpx.UnsupportedProtocol: _OURS,
    httpx.ProxyError: _NO_ANSWER,
    httpx.DecodingError: _BROKEN,
    httpx.TooManyRedirects: _FAILED,
    httpx.HTTPStatusError: _FAILED,
}
"""Every error that the HTTP library can raise; a test fails when it grows another."""


def status_error(status: int, text: str, url: str) -> DppsError:
    """Return our error for an HTTP status that tells of a failure.

    Parameters
    ----------
    status : int
        HTTP status.
    text : str
        What the server wrote.
    url : str
        URL that the caller knows the file by.
    """
    meaning = _BY_STATUS.get(status)
    if meaning is None or meaning is _NOT_A_FILE:
        # XRootD answers 500 and 409 for much: the words tell more.
        meaning = _spoken(text) or meaning or _FAILED
    return _error(meaning, url, f"HTTP {status} {_short(text)}".rstrip())


def spoken_error(text: str, url: str) -> DppsError:
    """Return our error for what a server or a program wrote."""
    return _error(_spoken(text) or _FAILED, url, _short(text))


@contextmanager
def server_errors(url: str) -> Iterator[None]:
    """Raise our errors for those of the HTTP library that happen inside."""
    try:
        yield
    except httpx.HTTPError as error:
        meaning = TRANSPORT_MEANINGS.get(type(error), _BROKEN)
        if isinstance(error, httpx.ConnectError) and _is_certificate(error):
            meaning = _UNTRUSTED
        raise _error(meaning, url, str(error) or type(error).__name__) from error


def _is_certificate(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _spoken(text: str) -> _Meaning | None:
    lowered = text.lower()
    return next((meaning for words, meaning in _BY_WORDS if words in lowered), None)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_SHOWN else plain[: _LONGEST_SHOWN - 1] + "…"


def _error(meaning: _Meaning, url: str, detail: str) -> DppsError:
    return meaning.kind(
        f"{meaning.what} {url}: {detail}",
        code=meaning.code,
        next_step=meaning.next_step,
        retryable=meaning.retryable,
        url=url,
    )
