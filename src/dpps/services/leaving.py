"""The end of processes that have loaded much: without taking their interpreter apart."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["leave", "run_and_leave"]


def run_and_leave(run: Callable[[], None]) -> NoReturn:
    """Do the work of a process, then end the process at once; an error that is none of ours ends it as ever.

    Where the work forks, each of the processes ends so when it leaves this call.

    Parameters
    ----------
    run : callable
        Returns, or raises ``SystemExit``, when nothing is left to do: no request unanswered, no file open for
        writing.
    """
    try:
        run()
    except SystemExit as ending:
        leave(ending.code)
    leave(0)


def leave(code: object) -> NoReturn:
    """End this process now, with the exit code that ``sys.exit`` would give it.

    To take apart, object by object, what was loaded costs a process with all of Rucio in it a second or more
    of processor time, at every stop, for nothing: the system takes all its memory back at once.

    Parameters
    ----------
    code : object
        As for ``SystemExit``: a number, None for 0, or a last word, which is written to standard error.
    """
    if not isinstance(code, int | None):
        sys.stderr.write(f"{code}\n")
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit((code or 0) & 0xFF if isinstance(code, int | None) else 1)
