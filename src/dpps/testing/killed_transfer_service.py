"""The transfer service with a death wish: a program for tests, run like the service itself.

It counts the calls that its threads make to queue and storage, and kills its process with SIGKILL right
before the one whose number is in ``DPPS_TEST_DIE_AT``, or right after it when ``DPPS_TEST_DIE_AFTER`` is
set. Every call of ``copy_aside`` is noted in the file named by ``DPPS_TEST_COPIES``.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging

_COUNTED = {
    "claim",
    "settle",
    "cancel_requested",
    "size_bytes",
    "read_back",
    "copy_aside",
    "publish",
    "discard",
}


class _Fatal:
    """Passes every call on, until it is time to die."""

    count = 0
    lock = threading.Lock()

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if name not in _COUNTED:
            return member

        def call(*arguments: Any) -> Any:
            with _Fatal.lock:
                _Fatal.count += 1
                mine = _Fatal.count
            self._die_if(mine, after=False)
            if name == "copy_aside":
                self._note(str(arguments[1]))
            result = member(*arguments)
            if result is None and name == "claim":
                # Looking into an empty queue is no step of a transfer.
                with _Fatal.lock:
                    _Fatal.count -= 1
            self._die_if(mine, after=True)
            return result

        return call

    @staticmethod
    def _die_if(number: int, *, after: bool) -> None:
        wanted = int(os.environ["DPPS_TEST_DIE_AT"])
        if number == wanted and after == bool(os.environ.get("DPPS_TEST_DIE_AFTER")):
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _note(destination: str) -> None:
        with Path(os.environ["DPPS_TEST_COPIES"]).open("a") as stream:
            stream.write(destination + "\n")


def main() -> None:
    """Run the service until it dies or is stopped."""
    from dpps.composition.transfers import build_transfers
    from dpps.services.transfers.__main__ import serve

    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    configure_logging("transfers")
    parts = build_transfers(StateFolder(parser.parse_args().state))
    serve(replace(parts, queue=_Fatal(parts.queue), storage=_Fatal(parts.storage)))


if __name__ == "__main__":
    main()
