"""``python -m dpps.services.workload --state DIR``: runs the workload service until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.domain.errors import DppsError
from dpps.services.listening import listen

if TYPE_CHECKING:
    from dpps.composition.workload import WorkloadParts

__all__ = ["main", "serve"]


def main() -> int:
    """Run the service; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dpps.services.workload", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state folder of the system")
    arguments = parser.parse_args()
    configure_logging("workload")
    try:
        from dpps.composition.workload import build_workload
        from dpps.services.job import run_bundle

        return serve(build_workload(StateFolder(arguments.state.absolute()), run_bundle))
    except DppsError as error:
        structlog.get_logger(__name__).error(error.message, code=error.code, next_step=error.next_step)
        return error.exit_code


def serve(parts: WorkloadParts) -> int:
    """Serve until SIGTERM or SIGINT; return 1 when the agent died, else 0.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    import uvicorn

    from dpps.services.workload.application import build_application
    from dpps.services.workload.driver import AgentDriver

    died = False

    def end_service() -> None:
        nonlocal died
        died = True
        server.should_exit = True

    driver = AgentDriver(parts.context, prepare=parts.prepare, on_death=end_service)
    application = build_application(parts.context, driver, parts.tokens.verify)
    server = uvicorn.Server(
        uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server takes these signals while it runs, and repeats them once it has ended: what would
        # then kill this process must not come before the agent has stopped.
        signal.signal(number, _already_stopping)
    with listen(parts.endpoint) as listener:
        driver.start()
        try:
            server.run(sockets=[listener])
        finally:
            driver.stop()
    return 1 if died else 0


def _already_stopping(number: int, frame: FrameType | None) -> None:
    structlog.get_logger(__name__).info("stopping", signal=signal.Signals(number).name)


if __name__ == "__main__":
    sys.exit(main())
