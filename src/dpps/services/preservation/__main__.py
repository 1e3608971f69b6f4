"""``python -m dpps.services.preservation --state DIR``: runs the service until it is told to stop."""

from __future__ import annotations

import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from dpps.composition.state import StateFolder
from dpps.domain.errors import Unavailable
from dpps.services.listening import listen
from dpps.services.serving import build_server, run_service
from dpps.services.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

    from dpps.services.preservation.metrics import PreservationMetrics

__all__ = ["build_application", "main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    return run_service("preservation", __doc__, serve)


def serve(folder: StateFolder) -> int:
    """Keep, audit and survey until SIGTERM or SIGINT; return the exit code.

    Three loops run beside each other: neither the reading of old copies nor the listing of storages may
    delay what new data need. A round may be cut anywhere.

    Raises
    ------
    Conflict
        When the port is in use.
    """
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

    server = build_server(build_application(trouble, metrics))
    with closing(parts), listen(parts.endpoint) as listener:
        parts.prepare()
        for name, loop in {"keeping": keeping, "audit": audit, "survey": survey}.items():
            threads.start(name, partial(loop.run, threads.stop))
        threads.serve(server, listener)
    return 0


def build_application(trouble: Callable[[], str | None], metrics: PreservationMetrics) -> Starlette:
    """Return the HTTP side: ``/healthz`` and ``/metrics``."""
    from starlette.applications import Starlette

    from dpps.services.health import health_routes

    return Starlette(routes=health_routes(trouble, metrics.text))


if __name__ == "__main__":
    sys.exit(main())
