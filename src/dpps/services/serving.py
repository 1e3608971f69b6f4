"""What the long-running services of ours have in common: one command line, one way to serve and to stop."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn

from dpps.composition.instance import Endpoint
from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError
from dpps.services.listening import listen

__all__ = ["build_server", "run_service", "serve_until_told"]

_GRACE_SECONDS = 5


def run_service(name: str, description: str | None, serve: Callable[[StateFolder], int]) -> int:
    """Read the command line, serve, and return the exit code; an error of ours is logged, not raised.

    Parameters
    ----------
    name : str
        Name of the service; its module is ``dpps.services.<name>``.
    description : str or None
        Text of ``--help``.
    serve : callable
        Serves the system in a state folder until told to stop; returns the exit code.
    """
    parser = argparse.ArgumentParser(prog=f"python -m dpps.services.{name}", description=description)
    parser.add_argument("--state", type=Path, required=True, help="the state folder of the system")
    arguments = parser.parse_args()
    configure_logging(name)
    try:
        return serve(StateFolder(arguments.state.absolute()))
    except DppsError as error:
        structlog.get_logger(name).error(error.message, code=error.code, next_step=error.next_step)
        return error.exit_code


def build_server(application: Any, **settings: Any) -> uvicorn.Server:
    """Return an HTTP server for an application; its log lines are ours."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            **settings,
        )
    )


def serve_until_told(
    server: uvicorn.Server, endpoint: Endpoint, start: Callable[[], None], stop: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    server : uvicorn.Server
        The HTTP side.
    endpoint : Endpoint
        Where to listen.
    start, stop : callable
        Begin and end of the service's own work; it ends before this returns.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server takes these signals while it runs, and repeats them once it has ended: what would
        # then kill this process must not come before the work has stopped.
        signal.signal(number, _already_stopping)
    with listen(endpoint) as listener:
        start()
        try:
            server.run(sockets=[listener])
        finally:
            stop()


def _already_stopping(number: int, frame: FrameType | None) -> None:
    structlog.get_logger(__name__).info("stopping", signal=signal.Signals(number).name)
