"""HTTP requests to storage servers: TLS verified, one credential, connections kept."""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx

from dpps.adapters.storage.credentials import Credentials
from dpps.adapters.storage.server_errors import server_errors, status_error
from dpps.adapters.storage.server_urls import Address

__all__ = ["WebdavClient"]

_CONNECT_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 60.0
"""Longest silence within one answer; reading at the server's side of a checksum included."""
_CONNECTIONS: Final = 64
_LONGEST_COMPLAINT: Final = 4096
_CHANCES: Final = 3
_REPEATABLE: Final = frozenset({"GET", "HEAD", "PROPFIND", "MKCOL", "COPY", "DELETE"})
"""Doing these twice is the same as doing them once; copies go to names that nobody else uses."""

Content = Iterator[bytes] | bytes | None


class WebdavClient:
    """Makes single requests; safe to share between threads.

    Parameters
    ----------
    authority : str
        Certificate (PEM) of the authority that servers must be certified by; no other is trusted.
    credentials : Credentials
        What is shown to the servers.
    silent_seconds : float
        Longest silence within one answer.

    Attributes
    ----------
    close : callable
        Closes all connections; called by itself when nobody uses the client any more.
    """

    def __init__(
        self, authority: str, credentials: Credentials, *, silent_seconds: float = _SILENT_SECONDS
    ) -> None:
        self.credentials = credentials
        trusted = ssl.create_default_context(cadata=authority)
        timeout = httpx.Timeout(silent_seconds, connect=_CONNECT_SECONDS)
        self._http = _connections(trusted, timeout)
        # XRootD sends the last word of a copy before it is through with it. A request that follows at once on
        # the same connection is read too early, and answered after the server's patience of half a minute.
        self._streams = _connections(trusted, timeout)

        # Storages have no end of their own: the last user's going closes the connections.
        self.close = weakref.finalize(self, _close, self._http, self._streams)

    def request(
        self,
        method: str,
        address: Address,
        *,
        headers: Mapping[str, str] | None = None,
        content: Content = None,
        accept: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        """Make a request and read the answer.

        Parameters
        ----------
        method : str
            HTTP or WebDAV method.
        address : Address
            Of what.
        headers : mapping, optional
            Besides the credential.
        content : iterator of bytes, optional
            Body.
        accept : frozenset of int
            Statuses of failure that the caller deals with.

        Raises
        ------
        DppsError
            With the identifier ``url``.
        """
        with server_errors(address.url):
            response = self._send(self._http, method, address, headers, content)
            try:
                response.read()
            finally:
                response.close()
        if not response.is_success and response.status_code not in accept:
            raise status_error(response.status_code, response.text, address.url)
        return response

    @contextmanager
    def stream(
        self, method: str, address: Address, *, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Make a request and let the caller read the answer; leaving early closes the connection.

        Raises
        ------
        DppsError
            With the identifier ``url``.
        """
        with server_errors(address.url):
            response = self._send(self._streams, method, address, headers, None)
            try:
                if not response.is_success:
                    complaint = response.read()[:_LONGEST_COMPLAINT].decode(errors="replace")
                    raise status_error(response.status_code, complaint, address.url)
                yield response
            finally:
                response.close()

    def _send(
        self,
        http: httpx.Client,
        method: str,
        address: Address,
        headers: Mapping[str, str] | None,
        content: Content,
    ) -> httpx.Response:
        """Send a request; once more where a kept connection turned out to be closed already.

        XRootD announces that it keeps a connection, and closes it nevertheless, after some failures.
        """
        for chance in reversed(range(_CHANCES)):
            request = http.build_request(
                method, address.https, headers=self._headers(address.server, headers), content=content
            )
            try:
                return http.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not chance or method not in _REPEATABLE:
                    raise
        raise AssertionError("the last chance returns or raises")

    def _headers(self, server: str, others: Mapping[str, str] | None) -> dict[str, str]:
        # No compression: what is counted and checksummed are the bytes on disk.
        headers = {"Accept-Encoding": "identity", **(others or {})}
        token = self.credentials.bearer(server)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _connections(trusted: ssl.SSLContext, timeout: httpx.Timeout) -> httpx.Client:
    return httpx.Client(
        verify=trusted,
        # Otherwise variables of the environment could send our tokens through a stranger's proxy.
        trust_env=False,
        follow_redirects=False,
        timeout=timeout,
        limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
    )


def _close(*clients: httpx.Client) -> None:
    for client in clients:
        client.close()
