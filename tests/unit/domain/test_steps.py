"""Errors of steps end with the codes of the interface to workload management."""

import json
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


_PROGRAM = steps.StepProgram(
    name="dpps-demo", version="1.2", about="Steps.", commands={"ours": {"go": "goes", "stay": "stays"}}
)


def test_a_program_runs_the_step_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[object] = []
    assert _PROGRAM.run(["go", "--far"], lambda name, words: ran.append((name, list(words)))) == 0
    assert ran == [("go", ["--far"])]
    assert _PROGRAM.run(["--version"], lambda _name, _words: ran.append("no")) == 0
    assert capsys.readouterr().out == "dpps-demo 1.2\n"
    for words in ([], ["--help"]):
        assert _PROGRAM.run(words, lambda _name, _words: ran.append("no")) == 0
        told = capsys.readouterr().out
        assert "ours:\n  go    goes\n  stay  stays\n" in told
        assert "106 insufficient statistics" in told
    assert _PROGRAM.run(["nowhere"], lambda _name, _words: ran.append("no")) == 101
    assert "there is no command 'nowhere' — dpps-demo --help lists them" in capsys.readouterr().err
    assert len(ran) == 1


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (steps.MissingInput("no events", "make some", path=Path("a.h5")), 105, "a.h5: no events — make some"),
        (errors.Conflict("it exists", next_step="Choose another."), 101, "it exists — Choose another."),
        (errors.DppsError("broken"), 1, "broken"),
        (OSError(28, "No space left on device"), 102, "OSError: [Errno 28] No space left on device — check"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    error: Exception, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_name: str, _words: object) -> None:
        raise error

    assert _PROGRAM.run(["go"], fail) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ERROR: dpps-demo go: {text}")
    assert _PROGRAM.run(["go", "--json"], fail) == code
    captured = capsys.readouterr()
    assert json.loads(captured.err)["exit_code"] == code
    assert captured.out == ""
