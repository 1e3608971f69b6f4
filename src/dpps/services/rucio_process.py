"""What the processes of the ``rucio`` environment share: arguments and configuration."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path

import structlog

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.services.rucio_cache import outlive_the_cache

__all__ = ["PrintedLines", "prepare_process"]


class PrintedLines(io.TextIOBase):
    """A standard output whose lines become log lines: parts of Rucio print what they should log."""

    def __init__(self) -> None:
        super().__init__()
        self._unfinished = ""

    def write(self, text: str) -> int:
        """Log every line that is complete now."""
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if line.strip():
                structlog.get_logger("rucio.print").info(line)
        return len(text)

    def writable(self) -> bool:
        """Tell that this can be written to."""
        return True


def prepare_process(service: str, arguments: list[str] | None = None) -> StateFolder:
    """Read ``--state``, point Rucio at its configuration and cache, and send all logs to one stream.

    Must be called before anything of Rucio is imported: it reads its configuration on import.
    """
    parser = argparse.ArgumentParser(prog=f"dpps {service}")
    parser.add_argument("--state", type=Path, required=True, help="state folder of the system")
    folder = StateFolder(parser.parse_args(arguments).state.absolute())
    os.environ["RUCIO_CONFIG"] = str(folder.config / "rucio.cfg")
    os.environ["DPPS_STATE"] = str(folder.root)
    configure_logging(service)
    sys.stdout = PrintedLines()
    outlive_the_cache()
    return folder
