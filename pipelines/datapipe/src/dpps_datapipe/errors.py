"""Errors of the pipeline steps, with the exit codes of the interface to workload management.

* `StepError` — the root: what is wrong, naming file and reason; exit code 1

  + `TemporaryFailure` — 100: try again later
  + `ConfigurationError` — 101: the configuration or a command line cannot be used
  + `StorageError` — 102: a file cannot be written or read for reasons outside of it
  + `CorruptedInput` — 104: an input is truncated, damaged, or not what it must be
  + `MissingInput` — 105: an input, or something that must be in it, is not there
  + `InsufficientStatistics` — 106: too few events for a product that can be trusted

The codes are those that the calibration pipeline publishes; 103 is not used.
"""

from pathlib import Path
from typing import ClassVar

__all__ = [
    "ConfigurationError",
    "CorruptedInput",
    "InsufficientStatistics",
    "MissingInput",
    "StepError",
    "StorageError",
    "TemporaryFailure",
]


class StepError(Exception):
    """A step cannot do its work.

    Parameters
    ----------
    message : str
        What is wrong.
    path : pathlib.Path or None
        The file concerned; its name begins the text.
    next_step : str
        What the reader should do.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, path: Path | None = None, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.next_step = next_step

    def __str__(self) -> str:
        """Name the file, the reason and the next step in one line."""
        where = f"{self.path}: " if self.path is not None else ""
        then = f" — {self.next_step}" if self.next_step else ""
        return f"{where}{self.message}{then}"

    def as_dict(self) -> dict[str, object]:
        """Give the error as plain data."""
        return {
            "code": self.code,
            "exit_code": self.exit_code,
            "message": self.message,
            "path": None if self.path is None else str(self.path),
            "next_step": self.next_step,
        }


class TemporaryFailure(StepError):
    """Something outside does not answer now."""

    exit_code = 100
    code = "temporary-failure"


class ConfigurationError(StepError):
    """The configuration or the command line cannot be used."""

    exit_code = 101
    code = "configuration"


class StorageError(StepError):
    """A file cannot be written, or read, for reasons outside of it."""

    exit_code = 102
    code = "storage"


class CorruptedInput(StepError):
    """An input is truncated, damaged, or not what it must be."""

    exit_code = 104
    code = "corrupted-input"


class MissingInput(StepError):
    """An input, or something that must be in it, is not there."""

    exit_code = 105
    code = "missing-input"


class InsufficientStatistics(StepError):
    """Too few events for a product that can be trusted."""

    exit_code = 106
    code = "insufficient-statistics"
