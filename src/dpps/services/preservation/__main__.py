"""``python -m dpps.services.preservation --state DIR``: runs the service until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError, Unavailable
from dpps.services.ingest.threads import Threads
from dpps.services.listening import listen

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from dpps.services.preservation.metrics import PreservationMetrics

__all__ = ["build_application", "main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dpps.services.preservation", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state folder of the system")
    arguments = parser.parse_args()
    configure_logging("preservation")
    try:
        serve(StateFolder(arguments.state))
    except DppsError as error:
        structlog.get_logger(__name__).error(error.message, code=error.code, next_step=error.next_step)
        return error.exit_code
    return 0


def serve(folder: StateFolder) -> None:
    """Keep, audit and survey until SIGTERM or SIGINT.

    Three loops run beside each other: neither the reading of old copies nor the listing of storages may
    delay what new data need. A round may be cut anywhere.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    import uvicorn

    from dpps.composition.preservation import build_preservation
    from dpps.services.loop import Loop, Pace
    from dpps.services.preservation.metrics import PreservationMetrics
    from dpps.services.preservation.work import AuditWork, KeepingWork, SurveyWork, log_event

    parts = build_preservation(folder, service=True, report=log_event)
    metrics, threads = PreservationMetrics(), Threads()

    def pause(seconds: float) -> None:
        if threads.stop.wait(seconds):
            raise Unavailable("the service stops", code="stopping")

    keeping = Loop(parts.connect, KeepingWork(parts, metrics), Pace(1.0, 5.0), metrics)
    audit = Loop(parts.connect, AuditWork(parts, metrics, pause), Pace(2.0, 60.0), metrics)
    survey = Loop(parts.connect, SurveyWork(parts, metrics), Pace(60.0, 60.0), metrics)

    def trouble() -> str | None:
        return keeping.trouble or parts.policy.complaint

    application = build_application(trouble, metrics)
    server = uvicorn.Server(
        uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    )
    with closing(parts), listen(parts.endpoint) as listener:
        parts.prepare()
        for name, loop in {"keeping": keeping, "audit": audit, "survey": survey}.items():
            threads.start(name, partial(loop.run, threads.stop))
        threads.start("http", lambda: server.run(sockets=[listener]))
        threads.wait()
        server.should_exit = True
        threads.join()


def build_application(trouble: Callable[[], str | None], metrics: PreservationMetrics) -> Starlette:
    """Return the HTTP side: ``/healthz`` and ``/metrics``."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    def health(_request: Request) -> Response:
        why = trouble()
        return PlainTextResponse(why or "ok", status_code=503 if why else 200)

    def measured(_request: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(routes=[Route("/healthz", health), Route("/metrics", measured)])


if __name__ == "__main__":
    sys.exit(main())
