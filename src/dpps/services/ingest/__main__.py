"""``python -m dpps.services.ingest --state DIR``: runs the ingest service until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError
from dpps.services.ingest.threads import Threads
from dpps.services.listening import listen

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
    parser = argparse.ArgumentParser(prog="python -m dpps.services.ingest", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state folder of the system")
    arguments = parser.parse_args()
    configure_logging("ingest")
    try:
        serve(StateFolder(arguments.state))
    except DppsError as error:
        structlog.get_logger(__name__).error(error.message, code=error.code, next_step=error.next_step)
        return error.exit_code
    return 0


def serve(folder: StateFolder) -> None:
    """Watch and serve until SIGTERM or SIGINT.

    A pass may be cut anywhere: the next one finishes it.

    Raises
    ------
    Conflict
        When the port is in use, or another process ingests from the hand-over folder.
    """
    import uvicorn

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
    ingest = Loop(
        parts.connect,
        handover,
        Pace(shortest_seconds=0.5, longest_seconds=5.0),
        metrics,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            build_application(ingest, metrics, handover),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
    )
    held = hold_handover(folder, folder.handover, "the ingest service")
    with closing(parts.crew), listen(endpoint) as listener, held:
        threads.start("ingest", lambda: ingest.run(threads.stop))
        threads.start("http", lambda: server.run(sockets=[listener]))
        threads.wait()
        server.should_exit = True
        threads.join()


def build_application(ingest: Loop[Catalogue], metrics: IngestMetrics, handover: HandoverWork) -> Starlette:
    """Return the HTTP side: ``/healthz``, ``/metrics``, and ``/refused`` (waiting or quarantined)."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    def health(_request: Request) -> Response:
        outage = handover.outage
        trouble = ingest.trouble or (outage.message if outage else None)
        return PlainTextResponse(trouble or "ok", status_code=503 if trouble else 200)

    def measured(_request: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def refused(_request: Request) -> Response:
        return JSONResponse(handover.refusals())

    return Starlette(
        routes=[Route("/healthz", health), Route("/metrics", measured), Route("/refused", refused)]
    )


if __name__ == "__main__":
    sys.exit(main())
