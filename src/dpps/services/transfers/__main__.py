"""``python -m dpps.services.transfers --state DIR``: runs the transfer service until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError
from dpps.services.listening import listen

if TYPE_CHECKING:
    from dpps.composition.transfers import TransferParts

__all__ = ["main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dpps.services.transfers", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state folder of the system")
    arguments = parser.parse_args()
    configure_logging("transfers")
    try:
        from dpps.composition.transfers import build_transfers

        serve(build_transfers(StateFolder(arguments.state)))
    except DppsError as error:
        structlog.get_logger(__name__).error(error.message, code=error.code, next_step=error.next_step)
        return error.exit_code
    return 0


def serve(parts: TransferParts) -> None:
    """Serve until SIGTERM or SIGINT; what is being moved is given back before this returns.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    import uvicorn

    from dpps.services.transfers.application import build_application
    from dpps.services.transfers.callers import CallerProtocol, KnownCallers
    from dpps.services.transfers.crew import Crew
    from dpps.services.transfers.metrics import TransferMetrics

    metrics = TransferMetrics(parts.queue, parts.history)
    crew = Crew(
        parts.queue,
        parts.limits,
        parts.storage,
        prepare=parts.prepare,
        workers=parts.settings.workers,
        memory=timedelta(days=parts.settings.memory_days),
        record=metrics.record,
    )
    application = build_application(parts.queue, parts.limits, parts.history, crew, metrics, parts.vo)
    server = uvicorn.Server(
        uvicorn.Config(
            KnownCallers(application, parts.principal_of),
            http=CallerProtocol,
            ssl_context_factory=lambda _config, _default: parts.encryption(),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server takes these signals while it runs, and repeats them once it has ended: what would
        # then kill this process must not come before the crew has stopped.
        signal.signal(number, _already_stopping)
    with listen(parts.endpoint) as listener:
        crew.start()
        try:
            server.run(sockets=[listener])
        finally:
            crew.stop()
            parts.close()


def _already_stopping(number: int, frame: FrameType | None) -> None:
    structlog.get_logger(__name__).info("stopping", signal=signal.Signals(number).name)


if __name__ == "__main__":
    sys.exit(main())
