"""Requests whose body is too long are refused before they fill the memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from dpps.domain.errors import InvalidInput

__all__ = ["LimitedBodies"]

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class LimitedBodies:
    """Reads bodies up to a limit.

    Parameters
    ----------
    app : callable
        The application.
    limit_bytes : int
        Longest body.
    """

    def __init__(self, app: Application, limit_bytes: int) -> None:
        self._application = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        parts: list[Message] = []
        size_bytes, more = 0, True
        while more:
            message = await receive()
            parts.append(message)
            size_bytes += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
            if size_bytes > self._limit_bytes:
                await self._refusal(scope)(scope, receive, send)
                return

        async def replay() -> Message:
            return parts.pop(0) if parts else await receive()

        await self._application(scope, replay, send)

    def _refusal(self, scope: MutableMapping[str, Any]) -> JSONResponse:
        error = InvalidInput(
            f"{scope['method']} {scope['path']}: the body has more than {self._limit_bytes} bytes",
            code="message-too-long",
            next_step="send less: shorten logs and provenance records",
        )
        return JSONResponse({"error": error.as_dict()}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
