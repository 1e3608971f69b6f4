"""``python -m dpps.services.transfers --state DIR``: runs the transfer service until it is told to stop."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from dpps.composition.state import StateFolder
from dpps.services.serving import build_server, run_service, serve_until_told

if TYPE_CHECKING:
    from dpps.composition.transfers import TransferParts

__all__ = ["main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    return run_service("transfers", __doc__, _serve)


def _serve(folder: StateFolder) -> int:
    from dpps.composition.transfers import build_transfers

    serve(build_transfers(folder))
    return 0


def serve(parts: TransferParts) -> None:
    """Serve until SIGTERM or SIGINT; what is being moved is given back before this returns.

    Raises
    ------
    Conflict
        When the port is in use.
    """
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
    server = build_server(
        KnownCallers(application, parts.principal_of),
        http=CallerProtocol,
        ssl_context_factory=lambda _config, _default: parts.encryption(),
    )

    def stop() -> None:
        crew.stop()
        parts.close()

    serve_until_told(server, parts.endpoint, crew.start, stop)


if __name__ == "__main__":
    sys.exit(main())
