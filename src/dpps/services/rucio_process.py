"""What the processes of the ``rucio`` environment share: arguments and configuration."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging

__all__ = ["prepare_process"]


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
