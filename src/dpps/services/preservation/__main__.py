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
    from collections.abc import Callable, Mapping

    from starlette.applications import Starlette

    from dpps.services.loop import Loop
    from dpps.services.preservation.metrics import PreservationMetrics

__all__ = ["build_application", "held_up", "main", "serve"]

_HELD_UP_SECONDS = 3600.0


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
        return keeping.trouble or parts.policy.complaint or held_up({"audit": audit, "survey": survey})

    server = build_server(build_application(trouble, metrics))
    with closing(parts), listen(parts.endpoint) as listener:
        parts.prepare()
        for name, loop in {"keeping": keeping, "audit": audit, "survey": survey}.items():
            threads.start(name, partial(loop.run, threads.stop))
        threads.serve(server, listener)
    return 0


def held_up[Connection](loops: Mapping[str, Loop[Connection]]) -> str | None:
    """Return which slow work has failed for so long that somebody must know, and why.

    A storage that is away for a while holds audit and survey up and is no reason to call the service not
    ready; that copies are not read back for ever is.
    """
    for name, loop in loops.items():
        why = loop.lasting_trouble(_HELD_UP_SECONDS)
        if why is not None:
            return f"the {name} has failed for an hour: {why}"
    return None


def build_application(trouble: Callable[[], str | None], metrics: PreservationMetrics) -> Starlette:
    """Return the HTTP side: ``/healthz`` and ``/metrics``."""
    from starlette.applications import Starlette

    from dpps.services.health import health_routes

    return Starlette(routes=health_routes(trouble, metrics.text))


if __name__ == "__main__":
    sys.exit(main())
