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
from typing import Any, ClassVar

from dpps.domain.errors import DppsError

__all__ = [
    "ConfigurationError",
    "CorruptedInput",
    "InsufficientStatistics",
    "MissingInput",
    "StepError",
    "StorageError",
    "TemporaryFailure",
]


class StepError(DppsError):
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
    default_code: ClassVar[str] = "datapipe.failed"

    def __init__(self, message: str, *, path: Path | None = None, next_step: str = "") -> None:
        identifiers: dict[str, Any] = {} if path is None else {"path": path}
        super().__init__(message, next_step=next_step, **identifiers)
        self.path = path

    def __str__(self) -> str:
        """Name the file, the reason and the next step in one line."""
        where = f"{self.path}: " if self.path is not None else ""
        then = f" — {self.next_step}" if self.next_step else ""
        return f"{where}{self.message}{then}"

    def as_dict(self) -> dict[str, object]:
        """Give the error as plain data, with its exit code."""
        return {**super().as_dict(), "exit_code": self.exit_code}


class TemporaryFailure(StepError):
    """Something outside does not answer now."""

    exit_code = 100
    default_retryable = True
    default_code = "datapipe.temporary-failure"


class ConfigurationError(StepError):
    """The configuration or the command line cannot be used."""

    exit_code = 101
    default_code = "datapipe.configuration"


class StorageError(StepError):
    """A file cannot be written, or read, for reasons outside of it."""

    exit_code = 102
    default_code = "datapipe.storage"


class CorruptedInput(StepError):
    """An input is truncated, damaged, or not what it must be."""

    exit_code = 104
    default_code = "datapipe.corrupted-input"


class MissingInput(StepError):
    """An input, or something that must be in it, is not there."""

    exit_code = 105
    default_code = "datapipe.missing-input"


class InsufficientStatistics(StepError):
    """Too few events for a product that can be trusted."""

    exit_code = 106
    default_code = "datapipe.insufficient-statistics"
