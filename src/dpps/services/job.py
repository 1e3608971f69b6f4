"""``python -m dpps.services.job BUNDLE``: runs one job on a worker.

Needs the bundle, the storages that it names and the address that it reports to: no database, no state
folder, no configuration. Warm workers call `run_bundle` instead.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from dpps.domain.errors import DppsError, InvalidInput
from dpps.domain.work import ExitReason

__all__ = ["main", "run_bundle"]


def run_bundle(text: str) -> str:
    """Run a bundle (JSON text) and report; return the exit reason that was reported.

    Raises
    ------
    DppsError
        When the report was not delivered or was refused.
    """
    from dpps.composition.workload import build_worker_tools
    from dpps.workload.bundle import parse_bundle
    from dpps.workload.running import run_job

    bundle = parse_bundle(text)
    report = run_job(bundle, build_worker_tools(bundle))
    return ExitReason.KILLED.value if report is None else report.exit_reason.value


def main(arguments: list[str]) -> int:
    """Run the bundle in a file; 0 when the payload succeeded, 1 when it failed, else the error's code."""
    import structlog

    from dpps.composition.telemetry import configure_logging

    configure_logging("job")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    log = structlog.get_logger(__name__)
    if len(arguments) != 1:
        log.error("give the file of one bundle: python -m dpps.services.job BUNDLE")
        return InvalidInput.exit_code
    try:
        reason = run_bundle(Path(arguments[0]).read_text(encoding="utf-8"))
    except OSError as wrong:
        log.error("the bundle cannot be read", path=arguments[0], error=str(wrong))
        return InvalidInput.exit_code
    except DppsError as error:
        log.error(error.message, code=error.code, next_step=error.next_step)
        return error.exit_code
    return 0 if reason == ExitReason.FINISHED.value else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
