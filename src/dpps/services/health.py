"""The HTTP side that every service of ours shows: ``/healthz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

__all__ = ["METRICS_MEDIA_TYPE", "health_routes"]

METRICS_MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(trouble: Callable[[], str | None], metrics: Callable[[], bytes | str]) -> list[Route]:
    """Return the routes of a service.

    Parameters
    ----------
    trouble : callable
        What keeps the service from its work; None when nothing does.
    metrics : callable
        The metrics in Prometheus' text format.
    """

    def health(_request: Request) -> Response:
        why = trouble()
        return PlainTextResponse(why or "ok", status_code=503 if why else 200)

    def measured(_request: Request) -> Response:
        return Response(metrics(), media_type=METRICS_MEDIA_TYPE)

    return [Route("/healthz", health), Route("/metrics", measured)]
