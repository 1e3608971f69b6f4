"""``python -m dpps.services.ingest --state DIR``: runs the ingest service until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError
from dpps.services.listening import listen

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from dpps.services.ingest.metrics import IngestMetrics
    from dpps.services.ingest.watch import Loop

__all__ = ["build_application", "main", "serve"]

_STOP_SECONDS = 3.0


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

    Two loops run beside each other, because reading copies back takes long and must not delay the ingest.
    A pass may be cut anywhere: the next one finishes it.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    import uvicorn

    from dpps.composition.data import build_ingest_parts
    from dpps.composition.instance import Instance
    from dpps.services.ingest.metrics import IngestMetrics
    from dpps.services.ingest.watch import HandoverWork, IngestParts, Loop, Pace, PreservationWork

    endpoint = Instance.load(folder).endpoint("ingest")
    folder.handover.mkdir(parents=True, exist_ok=True)
    metrics, parts = IngestMetrics(), IngestParts(**build_ingest_parts(folder))
    handover = HandoverWork(parts, metrics)
    ingest = Loop(
        parts.connect,
        handover,
        Pace(shortest_seconds=0.5, longest_seconds=5.0),
        metrics,
    )
    preservation = Loop(
        parts.connect,
        PreservationWork(parts, metrics),
        Pace(shortest_seconds=2.0, longest_seconds=30.0),
        metrics,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            build_application(ingest, metrics, handover.refusals),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
    )
    crew = _Crew()
    with listen(endpoint) as listener:
        crew.start("ingest", lambda: ingest.run(crew.stop))
        crew.start("preservation", lambda: preservation.run(crew.stop))
        crew.start("http", lambda: server.run(sockets=[listener]))
        crew.wait()
        server.should_exit = True
        crew.join()


class _Crew:
    """Threads that end together: when told to, or when one of them fails."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Begin work in a thread of its own."""

        def run() -> None:
            try:
                work()
            except BaseException as failure:
                self._failure = failure
                raise
            finally:
                self.stop.set()

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Return when it is time to stop."""
        self.stop.wait()

    def join(self) -> None:
        """Give each thread a moment to end; raise what made one of them fail."""
        for thread in self._threads:
            thread.join(_STOP_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        structlog.get_logger(__name__).info("stopping", signal=signal.Signals(number).name)
        self.stop.set()


def build_application(
    ingest: Loop, metrics: IngestMetrics, refusals: Callable[[], list[dict[str, object]]]
) -> Starlette:
    """Return the HTTP side: ``/healthz``, ``/metrics``, and ``/refused`` (files that wait)."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    def health(_request: Request) -> Response:
        trouble = ingest.trouble
        return PlainTextResponse(trouble or "ok", status_code=503 if trouble else 200)

    def measured(_request: Request) -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def refused(_request: Request) -> Response:
        return JSONResponse(refusals())

    return Starlette(
        routes=[Route("/healthz", health), Route("/metrics", measured), Route("/refused", refused)]
    )


if __name__ == "__main__":
    sys.exit(main())
