"""Calls an ASGI application in this process, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

__all__ = ["application_client"]


class _ApplicationTransport(httpx.BaseTransport):
    def __init__(self, application: Any) -> None:
        self._transport = httpx.ASGITransport(application)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        # The bridge wants a body that can be read asynchronously; httpx' bytes can be read both ways.
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def application_client(application: Any) -> httpx.Client:
    """Return a client of an application."""
    return httpx.Client(base_url="http://application", transport=_ApplicationTransport(application))
