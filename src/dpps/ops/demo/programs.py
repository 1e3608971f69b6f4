"""Programs of the pipelines that the demo calls itself: to make its input, and to draw."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from dpps.domain.errors import DppsError, Unavailable

__all__ = ["pipelines_program", "run_program", "watch_program"]

_MINUTES = 10
_LAST_LINES = 20


def pipelines_program(name: str) -> Path:
    """Return where a program of the pipelines environment is."""
    return Path(sys.prefix).parent / ".envs" / "pipelines" / "bin" / name


def run_program(name: str, *arguments: str | Path, what: str) -> str:
    """Run a program and return what it printed.

    Parameters
    ----------
    name : str
        Of the program.
    *arguments : str or Path
        Its command line.
    what : str
        What it does, for errors.

    Raises
    ------
    Unavailable
        When the pipelines are not installed, or it does not end in ten minutes.
    DppsError
        When it fails.
    """
    program = pipelines_program(name)
    command = [str(program), *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60 * _MINUTES)
    except FileNotFoundError as missing:
        raise _not_installed(program) from missing
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"{program} did not end within {_MINUTES} minutes", path=program) from late
    if done.returncode != 0:
        raise _failed(program, what, done.stderr.splitlines())
    return done.stdout


def watch_program(name: str, *arguments: str | Path, what: str, tell: Callable[[str], None]) -> str:
    """Run a program that takes minutes, hand on each line of its progress, and return what it printed.

    Parameters
    ----------
    name : str
        Of the program.
    *arguments : str or Path
        Its command line.
    what : str
        What it does, for errors.
    tell : callable
        Gets the lines of its standard error.

    Raises
    ------
    Unavailable
        When the pipelines are not installed.
    DppsError
        When it fails.
    """
    program = pipelines_program(name)
    command = [str(program), *map(str, arguments)]
    # A file, not a pipe: nobody reads the result while the progress is read.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        try:
            running = subprocess.Popen(command, stdout=printed, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError as missing:
            raise _not_installed(program) from missing
        lines = _told(running, tell)
        if running.returncode != 0:
            raise _failed(program, what, lines)
        printed.seek(0)
        return printed.read()


def _told(running: subprocess.Popen[str], tell: Callable[[str], None]) -> list[str]:
    """Hand on what a program says until it ends; return its last lines."""
    lines: list[str] = []
    with running:
        try:
            for line in running.stderr or ():
                lines = [*lines[-_LAST_LINES:], line]
                tell(line.strip())
        except BaseException:
            running.terminate()
            raise
    return lines


def _not_installed(program: Path) -> Unavailable:
    return Unavailable(f"{program} is not installed", next_step="run: make setup", path=program)


def _failed(program: Path, what: str, lines: Sequence[str]) -> DppsError:
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
    return DppsError(
        f"{what} failed: {last}", code="demo-program-failed", next_step="run: dpps doctor", path=program
    )
