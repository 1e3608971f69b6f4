"""What goes wrong in planning, with the exit codes of the pipelines' interface."""

from __future__ import annotations

from dpps.domain.errors import DppsError

__all__ = ["InsufficientStatistics", "MissingInput", "PlanError", "PlanInvalid"]


class PlanError(DppsError):
    """A plan cannot be made.

    Parameters
    ----------
    message : str
        What is wrong, naming the file and the entry.
    next_step : str
        What to do about it.
    """

    default_code = "simpipe.plan"

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message, next_step=next_step)


class PlanInvalid(PlanError):
    """The plan, or a table that it names, says something impossible."""

    default_code = "simpipe.plan-invalid"
    exit_code = 101


class MissingInput(PlanError):
    """A file that the plan names is not there, or a program that a back end needs."""

    default_code = "simpipe.input-missing"
    exit_code = 105


class InsufficientStatistics(PlanError):
    """The pilot has too few events for what is asked of it."""

    default_code = "simpipe.statistics-insufficient"
    exit_code = 106
