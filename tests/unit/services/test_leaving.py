"""Processes end at once, with the exit code and all the words that they would have had."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import atexit, os, sys
from dpps.services.leaving import run_and_leave

class Heavy:
    def __del__(self):
        print("taken apart")

heavy = Heavy()
heavy.me = heavy

def work():
    print("answered")
    {work}

run_and_leave(work)
"""


@pytest.mark.parametrize(
    ("work", "code", "last_word"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit('no more room')", 1, "no more room\n"),
        ("os.fork() and os.wait(); sys.exit(0)", 0, ""),
    ],
)
def test_a_process_leaves_as_it_would_and_takes_nothing_apart(work: str, code: int, last_word: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(work=work)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (code, last_word)
    assert set(ended.stdout.split("\n")) == {"answered", ""}


def test_a_mistake_shows_its_trace() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(work="1 / 0")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
