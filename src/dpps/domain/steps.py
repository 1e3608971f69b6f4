"""Errors and command lines of the pipelines' steps: their interface to workload management.

* `StepError` — the root: what is wrong, naming file and reason; exit code 1

  + `TemporaryFailure` — 100: try again later
  + `ConfigurationError` — 101: the configuration or a command line cannot be used
  + `StorageError` — 102: a file cannot be written or read for reasons outside of it
  + `CorruptedInput` — 104: an input is truncated, damaged, or not what it must be
  + `MissingInput` — 105: an input, or something that must be in it, is not there
  + `InsufficientStatistics` — 106: too few events for a product that can be trusted

The codes are those that the calibration pipeline publishes; 103 is not used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn

from dpps.domain.errors import (
    Conflict,
    DamagedFile,
    DppsError,
    InvalidInput,
    NotFound,
    StorageFull,
    Unavailable,
)

__all__ = [
    "ConfigurationError",
    "CorruptedInput",
    "InsufficientStatistics",
    "MissingInput",
    "StepError",
    "StepParser",
    "StepProgram",
    "StorageError",
    "TemporaryFailure",
    "run_step",
    "step_exit_code",
]


class StepError(DppsError):
    """A step cannot do its work.

    Parameters
    ----------
    message : str
        What is wrong.
    next_step : str
        What the reader should do.
    path : pathlib.Path or None
        The file concerned; its name begins the text.
    """

    default_code: ClassVar[str] = "step.failed"

    def __init__(self, message: str, next_step: str = "", *, path: Path | None = None) -> None:
        if path is None:
            super().__init__(message, next_step=next_step)
        else:
            super().__init__(message, next_step=next_step, path=path)
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
    default_code = "step.temporary-failure"


class ConfigurationError(StepError):
    """The configuration or the command line cannot be used."""

    exit_code = 101
    default_code = "step.configuration"


class StorageError(StepError):
    """A file cannot be written, or read, for reasons outside of it."""

    exit_code = 102
    default_code = "step.storage"


class CorruptedInput(StepError):
    """An input is truncated, damaged, or not what it must be."""

    exit_code = 104
    default_code = "step.corrupted-input"


class MissingInput(StepError):
    """An input, or something that must be in it, is not there."""

    exit_code = 105
    default_code = "step.missing-input"


class InsufficientStatistics(StepError):
    """Too few events for a product that can be trusted."""

    exit_code = 106
    default_code = "step.insufficient-statistics"


_EXIT_CODES: tuple[tuple[type[DppsError], type[StepError]], ...] = (
    (InvalidInput, ConfigurationError),
    (Conflict, ConfigurationError),
    (NotFound, MissingInput),
    (DamagedFile, CorruptedInput),
    (Unavailable, TemporaryFailure),
    (StorageFull, StorageError),
)


def step_exit_code(error: DppsError) -> int:
    """Give the exit code with which a step must end because of an error.

    Parameters
    ----------
    error : DppsError
        Of a step, or of the house.

    Returns
    -------
    int
        The error's own code for a `StepError`; otherwise the code of the interface that says the same.
    """
    if isinstance(error, StepError):
        return error.exit_code
    return next((step.exit_code for kind, step in _EXIT_CODES if isinstance(error, kind)), 1)


class StepParser(argparse.ArgumentParser):
    """A parser of options that raises `ConfigurationError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line.

        Raises
        ------
        ConfigurationError
            Always.
        """
        raise ConfigurationError(message, f"{self.prog} --help lists the options")


_CODES = """exit codes: 0 done, 100 try again later, 101 configuration, 102 storage,
104 corrupted input, 105 missing input, 106 insufficient statistics, 1 other"""


def run_step(name: str, step: Callable[[], None], *, as_json: bool = False) -> int:
    """Run a step; an error of its own is said on standard error, without a stack trace.

    Parameters
    ----------
    name : str
        Of the program and its step, for the message.
    step : callable
        Does the work.
    as_json : bool
        Say the error as a JSON document in one line.

    Returns
    -------
    int
        0, or the exit code of the interface.
    """
    try:
        step()
    except DppsError as error:
        return _say(name, error, as_json=as_json)
    except OSError as error:
        storage = StorageError(f"{type(error).__name__}: {error}", "check the path and the space on its disk")
        return _say(name, storage, as_json=as_json)
    return 0


def _say(name: str, error: DppsError, *, as_json: bool) -> int:
    code = step_exit_code(error)
    if as_json:
        text = json.dumps({**error.as_dict(), "exit_code": code}, default=str)
    elif isinstance(error, StepError) or not error.next_step:
        text = f"ERROR: {name}: {error}"
    else:
        text = f"ERROR: {name}: {error} — {error.next_step}"
    sys.stderr.write(f"{text}\n")
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgram:
    """A program whose first argument names one of its steps.

    Parameters
    ----------
    name : str
        Of the program.
    version : str
        Of its package.
    about : str
        What its steps are for.
    commands : mapping
        Summaries of the steps by name, by the headings under which they are listed.
    """

    name: str
    version: str
    about: str
    commands: Mapping[str, Mapping[str, str]]

    def help(self) -> str:
        """List the steps and the exit codes."""
        lines = [
            f"usage: {self.name} COMMAND [options]",
            "",
            f"{self.about} COMMAND --help says more.",
            "",
        ]
        for heading, commands in self.commands.items():
            lines += [*([f"{heading}:"] if heading else []), *_summaries(commands), ""]
        return "\n".join([*lines, _CODES]) + "\n"

    def run(self, arguments: Sequence[str] | None, command: Callable[[str, Sequence[str]], None]) -> int:
        """Run the step that a command line names.

        Parameters
        ----------
        arguments : sequence of str or None
            The command line; None: that of the process.
        command : callable
            Gets the name of a step of this program and its arguments.

        Returns
        -------
        int
            Exit code of the interface to workload management.
        """
        name, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
        if name in {"-h", "--help", "--version"}:
            sys.stdout.write(f"{self.name} {self.version}\n" if name == "--version" else self.help())
            return 0
        as_json = "--json" in rest
        if not any(name in commands for commands in self.commands.values()):
            return run_step(self.name, lambda: self._refuse(name), as_json=as_json)
        return run_step(f"{self.name} {name}", lambda: command(name, rest), as_json=as_json)

    def _refuse(self, name: str) -> NoReturn:
        raise ConfigurationError(f"there is no command {name!r}", f"{self.name} --help lists them")


def _summaries(commands: Mapping[str, str]) -> list[str]:
    width = max(map(len, commands)) + 2
    return [f"  {name:<{width}}{summary}" for name, summary in commands.items()]
