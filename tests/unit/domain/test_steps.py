"""Errors of steps end with the codes of the interface to workload management."""

from pathlib import Path

import pytest

from dpps.domain import errors, steps


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.InvalidInput("x"), 101),
        (errors.Conflict("x"), 101),
        (errors.InvalidTransition("x"), 101),
        (errors.NotFound("x"), 105),
        (errors.DamagedFile("x"), 104),
        (errors.Unavailable("x"), 100),
        (errors.StorageFull("x"), 102),
        (errors.DppsError("x"), 1),
        (steps.TemporaryFailure("x"), 100),
        (steps.ConfigurationError("x"), 101),
        (steps.StorageError("x"), 102),
        (steps.CorruptedInput("x"), 104),
        (steps.MissingInput("x"), 105),
        (steps.InsufficientStatistics("x"), 106),
    ],
)
def test_every_error_has_its_code(error: errors.DppsError, expected: int) -> None:
    assert steps.step_exit_code(error) == expected


def test_an_error_names_the_file_the_reason_and_the_next_step() -> None:
    error = steps.CorruptedInput("it is truncated", "fetch it again", path=Path("a.h5"))
    assert str(error) == "a.h5: it is truncated — fetch it again"
    assert error.as_dict()["exit_code"] == 104
    assert error.identifiers == {"path": Path("a.h5")}
    assert steps.TemporaryFailure("x").retryable


def test_a_wrong_option_is_an_error_of_the_interface() -> None:
    with pytest.raises(steps.ConfigurationError, match="--nothing"):
        steps.StepParser(prog="step").parse_args(["--nothing"])
