"""Work in processes: none of them outlives the one that began it."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SCRIPT = """
import fcntl, os, sys, threading
from dpps_simpipe.workers import run_jobs

def hold(path):
    file = open(path, "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(f"{os.getpid()}\\n")
    file.flush()
    threading.Event().wait()

if __name__ == "__main__":
    run_jobs(hold, [(path,) for path in sys.argv[1:]], 2, print)
"""


def _wait(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _is_free(path: Path) -> bool:
    """Tell whether no process holds the lock of a file."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    script, locks = tmp_path / "script.py", [tmp_path / "one", tmp_path / "other"]
    script.write_text(SCRIPT, encoding="utf-8")
    with subprocess.Popen([sys.executable, script, *locks]) as began:
        try:
            _wait(lambda: all(lock.is_file() and lock.read_text().endswith("\n") for lock in locks))
            assert not any(map(_is_free, locks))
        finally:
            began.send_signal(signal.SIGKILL)
    try:
        _wait(lambda: all(map(_is_free, locks)))
    finally:
        for lock in locks:
            if not _is_free(lock):
                with suppress(ProcessLookupError):
                    os.kill(int(lock.read_text()), signal.SIGKILL)
