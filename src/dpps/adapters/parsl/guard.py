"""Runs one of Parsl's programs so that it ends with the process that wants it, however that ends.

``python -m dpps.adapters.parsl.guard [--group] PID MODULE [ARGUMENT …]``: waits in a thread for the end of
process PID, without polling, and then kills this process; with ``--group`` its whole process group, which
Parsl's provider makes for the worker pool: workers and payloads.
"""

from __future__ import annotations

import os
import runpy
import select
import signal
import sys
import threading

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Guard this process, then become the program."""
    group = arguments[0] == "--group"
    pid, module, *rest = arguments[1:] if group else arguments
    threading.Thread(target=_watch, args=(int(pid), group), name="guard", daemon=True).start()
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch(pid: int, group: bool) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        _end(group)
        return
    select.select([descriptor], [], [])
    _end(group)


def _end(group: bool) -> None:
    if group:
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
