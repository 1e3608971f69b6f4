"""``python -m dpps.services.workload --state DIR``: runs the workload service until it is told to stop."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dpps.composition.state import StateFolder
from dpps.services.serving import build_server, run_service, serve_until_told

if TYPE_CHECKING:
    from dpps.composition.workload import WorkloadParts

__all__ = ["main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    return run_service("workload", __doc__, _serve)


def _serve(folder: StateFolder) -> int:
    from dpps.composition.workload import build_workload
    from dpps.services.job import run_bundle

    return serve(build_workload(folder, run_bundle))


def serve(parts: WorkloadParts) -> int:
    """Serve until SIGTERM or SIGINT; return 1 when the agent died, else 0.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    from dpps.services.workload.application import build_application
    from dpps.services.workload.driver import AgentDriver

    died = False

    def end_service() -> None:
        nonlocal died
        died = True
        server.should_exit = True

    driver = AgentDriver(parts.context, prepare=parts.prepare, on_death=end_service)
    server = build_server(build_application(parts.context, driver, parts.tokens.verify))
    serve_until_told(server, parts.endpoint, driver.start, driver.stop)
    return 1 if died else 0


if __name__ == "__main__":
    sys.exit(main())
