"""``python -m dpps.services.ingest --state DIR``: runs the ingest service until it is told to stop."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from dpps.composition.state import StateFolder
from dpps.services.listening import listen
from dpps.services.serving import build_server, run_service
from dpps.services.threads import Threads

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from dpps.data.ports import Catalogue
    from dpps.services.ingest.handover import HandoverWork
    from dpps.services.ingest.metrics import IngestMetrics
    from dpps.services.loop import Loop

__all__ = ["build_application", "main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    return run_service("ingest", __doc__, serve)


def serve(folder: StateFolder) -> int:
    """Watch and serve until SIGTERM or SIGINT; return the exit code.

    A pass may be cut anywhere: the next one finishes it.

    Raises
    ------
    Conflict
        When the port is in use, or another process ingests from the hand-over folder.
    """
    from dpps.composition.ingest import build_ingest_parts, hold_handover
    from dpps.composition.instance import Instance
    from dpps.services.ingest.handover import HandoverWork, IngestParts
    from dpps.services.ingest.metrics import IngestMetrics
    from dpps.services.loop import Loop, Pace

    endpoint = Instance.load(folder).endpoint("ingest")
    folder.handover.mkdir(parents=True, exist_ok=True)
    metrics, parts = IngestMetrics(), IngestParts(**build_ingest_parts(folder))
    threads = Threads()
    handover = HandoverWork(parts, metrics, stopping=threads.stop.is_set)
    ingest = Loop(parts.connect, handover, Pace(shortest_seconds=0.5, longest_seconds=5.0), metrics)
    server = build_server(build_application(ingest, metrics, handover))
    held = hold_handover(folder, folder.handover, "the ingest service")
    with closing(parts.crew), listen(endpoint) as listener, held:
        threads.start("ingest", lambda: ingest.run(threads.stop))
        threads.serve(server, listener)
    return 0


def build_application(ingest: Loop[Catalogue], metrics: IngestMetrics, handover: HandoverWork) -> Starlette:
    """Return the HTTP side: ``/healthz``, ``/metrics``, and ``/refused`` (waiting or quarantined)."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from dpps.services.health import health_routes

    def trouble() -> str | None:
        outage = handover.outage
        return ingest.trouble or (outage.message if outage else None)

    def refused(_request: Request) -> Response:
        return JSONResponse(handover.refusals())

    return Starlette(routes=[*health_routes(trouble, metrics.text), Route("/refused", refused)])


if __name__ == "__main__":
    sys.exit(main())
