"""What the processes of the ``rucio`` environment share: arguments, configuration, logs."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging

__all__ = ["GunicornLogs", "prepare_process"]


def prepare_process(service: str, arguments: list[str] | None = None) -> StateFolder:
    """Read ``--state``, point Rucio at its configuration, and send all logs to one stream.

    Must be called before anything of Rucio is imported: it reads its configuration on import.
    """
    parser = argparse.ArgumentParser(prog=f"dpps {service}")
    parser.add_argument("--state", type=Path, required=True, help="state folder of the system")
    folder = StateFolder(parser.parse_args(arguments).state.absolute())
    os.environ["RUCIO_CONFIG"] = str(folder.config / "rucio.cfg")
    configure_logging(service)
    return folder


class GunicornLogs(Logger):  # type: ignore[misc]
    """Sends gunicorn's messages where all others go; requests are counted, not logged."""

    def setup(self, cfg: object) -> None:
        """Replace gunicorn's handlers by those of the root logger."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.handlers.clear()
        self.error_log.setLevel(logging.INFO)
        self.access_log.propagate = False

    def access(self, resp: object, req: object, environ: object, request_time: object) -> None:
        """Log nothing: a line a request would drown everything else."""
