"""What goes wrong in planning, with the exit codes of the pipelines' interface."""

from __future__ import annotations

from typing import Final

__all__ = ["InsufficientStatistics", "MissingInput", "PlanError", "PlanInvalid"]


class PlanError(Exception):
    """A plan cannot be made.

    Parameters
    ----------
    message : str
        What is wrong, naming the file and the entry.
    next_step : str
        What to do about it.
    """

    exit_code: int = 1

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message: Final = message
        self.next_step: Final = next_step


class PlanInvalid(PlanError):
    """The plan, or a table that it names, says something impossible."""

    exit_code = 101


class MissingInput(PlanError):
    """A file that the plan names is not there, or a program that a back end needs."""

    exit_code = 105


class InsufficientStatistics(PlanError):
    """The pilot has too few events for what is asked of it."""

    exit_code = 106
