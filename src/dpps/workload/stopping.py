"""How an engine tells a worker of the same machine to end a job: by a file beside the sandboxes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SANDBOXES", "stop_file"]

SANDBOXES = "DPPS_SANDBOXES"
"""Variable of a worker's environment that names the folder for sandboxes."""


def stop_file(sandboxes: Path, job: str) -> Path:
    """Return the file whose appearance ends a job whose sandbox is in this folder."""
    return sandboxes / f"{job}.stop"
