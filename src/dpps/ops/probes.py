"""How the supervisor finds out whether a service is ready."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import ByteStream

from dpps.composition.encryption import client_context
from dpps.composition.instance import Endpoint, Instance
from dpps.composition.state import StateFolder

if TYPE_CHECKING:
    from dpps.ops.service import Probe

__all__ = ["always_ready", "database_probe", "encrypted_probe", "health_probe", "port_probe"]

_ANSWER_SECONDS = 10.0
_LONGEST_REASON = 300


def health_probe(endpoint: Endpoint, folder: StateFolder) -> Probe:
    """Probe ``GET /healthz``: ready when the answer is 200, else the answer says why not.

    Parameters
    ----------
    endpoint : Endpoint
        Address of the service.
    folder : StateFolder
        The system; where the service speaks ``https``, its certificate must be of the authority there.
    """

    async def probe() -> str | None:
        request = f"GET /healthz HTTP/1.0\r\nHost: {endpoint.host}\r\n\r\n".encode()
        try:
            with anyio.fail_after(_ANSWER_SECONDS):
                async with await _connect(endpoint, folder) as stream:
                    await stream.send(request)
                    answer = b"".join([part async for part in stream])
        except TimeoutError:
            return f"no answer from {endpoint.url}/healthz within {_ANSWER_SECONDS:.0f} s"
        except ssl.SSLError as wrong:
            return f"no encrypted connection to {endpoint.url}: {wrong.reason or wrong}"
        except (OSError, anyio.BrokenResourceError):
            return f"nothing listens on port {endpoint.port} yet"
        return _read_health(answer)

    return probe


async def _connect(endpoint: Endpoint, folder: StateFolder) -> ByteStream:
    if endpoint.scheme == "http":
        return await anyio.connect_tcp(endpoint.host, endpoint.port)
    return await anyio.connect_tcp(
        endpoint.host,
        endpoint.port,
        ssl_context=client_context(folder),
        # A service that is stopped between two bytes leaves a shorter answer: that is read as it is.
        tls_standard_compatible=False,
    )


def _read_health(answer: bytes) -> str | None:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) > 1 and words[1] == b"200":
        return None
    text = body.decode(errors="replace").strip()[:_LONGEST_REASON]
    return text or "its health check answered " + head.split(b"\r\n", 1)[0].decode(errors="replace")


def port_probe(endpoint: Endpoint) -> Probe:
    """Probe by connecting: ready when something listens."""

    async def probe() -> str | None:
        try:
            with anyio.fail_after(_ANSWER_SECONDS):
                stream = await anyio.connect_tcp(endpoint.host, endpoint.port)
            await stream.aclose()
        except (OSError, TimeoutError):
            return f"nothing listens on port {endpoint.port} yet"
        return None

    return probe


def encrypted_probe(endpoint: Endpoint, folder: StateFolder) -> Probe:
    """Probe by shaking hands with TLS: ready when the server proves to be of the system in this folder."""

    async def probe() -> str | None:
        try:
            with anyio.fail_after(_ANSWER_SECONDS):
                stream = await _connect(endpoint, folder)
            await stream.aclose()
        except ssl.SSLError as failure:
            return f"the server on port {endpoint.port} does not prove who it is: {failure}"
        except (OSError, TimeoutError, anyio.BrokenResourceError):
            return f"nothing listens on port {endpoint.port} yet"
        return None

    return probe


def database_probe(folder: StateFolder, instance: Instance) -> Probe:
    """Probe by making sure that our databases exist."""
    from dpps.ops.postgres import ensure_databases

    async def probe() -> str | None:
        return await anyio.to_thread.run_sync(partial(ensure_databases, folder, instance))

    return probe


async def always_ready() -> str | None:
    """Answer for what needs no asking."""
    return None
