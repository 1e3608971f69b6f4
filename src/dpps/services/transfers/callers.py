"""Who calls the transfer service: the name in the certificate that the caller shows.

Rucio's stock transfer tool shows the certificate named in ``[conveyor] usercert``. It never checks the
server's (its code passes ``verify=False`` for every ``https://`` address); our own clients do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from dpps.domain.errors import DppsError, NotAuthorized
from dpps.domain.principals import Action, Principal, authorize
from dpps.services.transfers.messages import Refusal

__all__ = ["ANYBODY", "CALLER", "CallerProtocol", "KnownCallers"]

CALLER: Final = "dpps.caller"
"""Key of a request's scope under which the name of its caller is found, or None."""
ANYBODY: Final = frozenset({"/healthz", "/metrics"})
"""Paths that need no certificate."""

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class CallerProtocol(H11Protocol):
    """Tells the application whose certificate a connection has shown and TLS has verified."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the caller of the new connection."""
        super().connection_made(transport)
        caller, application = _common_name(transport.get_extra_info("peercert")), self.app

        async def application_of_caller(scope: Any, receive: Any, send: Any) -> None:
            await application({**scope, CALLER: caller}, receive, send)

        self.app = application_of_caller


def _common_name(certificate: Mapping[str, Any] | None) -> str | None:
    parts = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
    return parts.get("commonName")


class KnownCallers:
    """Lets nobody pass who may not move files.

    Parameters
    ----------
    application : callable
        What answers those who may.
    principal_of : callable
        Returns whom the name in a certificate stands for; raises `NotAuthorized` for a stranger.
    """

    def __init__(self, application: Application, principal_of: Callable[[str], Principal]) -> None:
        self._application = application
        self._principal_of = principal_of

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] not in ANYBODY:
            try:
                self._check(scope.get(CALLER), f"{scope['method']} {scope['path']}")
            except DppsError as error:
                await _refusal(error)(scope, receive, send)
                return
        await self._application(scope, receive, send)

    def _check(self, caller: str | None, call: str) -> None:
        if caller is None:
            raise NotAuthorized(
                f"{call}: the caller shows no certificate of this system",
                code="certificate-missing",
                next_step="show a client certificate below certificates/ of the state folder",
            )
        authorize(self._principal_of(caller), Action.TRANSFER, call)


def _refusal(error: DppsError) -> JSONResponse:
    status = HTTPStatus.FORBIDDEN
    refusal = Refusal(status=f"{status.value} {status.phrase}", message=f"{error.message}; {error.next_step}")
    return JSONResponse(refusal.model_dump(), status)
