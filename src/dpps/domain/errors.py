"""The error tree of the system.

* `DppsError` — the root: a stable ``code``, what to do next, whether trying again may help

  + `InvalidInput` — what was given cannot be used (YAML, CWL, LFN, path, option); exit code 2
  + `NotFound` — the named thing does not exist; exit code 3
  + `Conflict` — it exists already, with other content or in another state; exit code 4
  + `NotAuthorized` — the principal may not do this; exit code 5
  + `DamagedFile` — a file is truncated, corrupted or unreadable; exit code 6
  + `Unavailable` — a service, storage or program does not answer; retryable; exit code 7
  + `StorageFull` — no room left where bytes must go; retryable; exit code 8
  + `InvalidTransition` — a state change that the transition table forbids; exit code 4
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

__all__ = [
    "Conflict",
    "DamagedFile",
    "DppsError",
    "InvalidInput",
    "InvalidTransition",
    "NotAuthorized",
    "NotFound",
    "StorageFull",
    "Unavailable",
]


class DppsError(Exception):
    """An error that a user or a calling program can act on.

    Parameters
    ----------
    message : str
        What is wrong, naming the thing.
    code : str, optional
        Stable word for programs, e.g. ``"data.lfn-invalid"``; the class has a default.
    next_step : str, optional
        What the reader should do, as an instruction or a command.
    retryable : bool, optional
        Whether the same call may succeed later without anyone's doing; the class has a default.
    **identifiers : object
        The things concerned (``lfn=…``, ``rse=…``, ``path=…``), kept as attributes of ``identifiers``.
    """

    default_code: ClassVar[str] = "error"
    default_retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        next_step: str = "",
        retryable: bool | None = None,
        **identifiers: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.next_step = next_step
        self.retryable = self.default_retryable if retryable is None else retryable
        self.identifiers: Mapping[str, object] = dict(identifiers)

    def as_dict(self) -> dict[str, object]:
        """Return the error as plain data, for ``--json``, HTTP answers and logs."""
        return {
            "code": self.code,
            "message": self.message,
            "next_step": self.next_step,
            "retryable": self.retryable,
            "identifiers": {name: str(value) for name, value in self.identifiers.items()},
        }


class InvalidInput(DppsError):
    """What was given cannot be used."""

    default_code = "invalid-input"
    exit_code = 2


class NotFound(DppsError):
    """The named thing does not exist."""

    default_code = "not-found"
    exit_code = 3


class Conflict(DppsError):
    """The thing exists already, with other content or in another state."""

    default_code = "conflict"
    exit_code = 4


class InvalidTransition(Conflict):
    """A state change that the transition table forbids."""

    default_code = "invalid-transition"


class NotAuthorized(DppsError):
    """The principal may not do this."""

    default_code = "not-authorized"
    exit_code = 5


class DamagedFile(DppsError):
    """A file is truncated, corrupted or unreadable."""

    default_code = "damaged-file"
    exit_code = 6


class Unavailable(DppsError):
    """A service, a storage or a program does not answer now."""

    default_code = "unavailable"
    default_retryable = True
    exit_code = 7


class StorageFull(DppsError):
    """No room is left where bytes must go."""

    default_code = "storage-full"
    default_retryable = True
    exit_code = 8
