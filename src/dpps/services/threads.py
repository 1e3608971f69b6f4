"""Threads of one process that end together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from socket import socket

    from uvicorn import Server

__all__ = ["Threads"]

_STOP_SECONDS: Final = 3.0


class Threads:
    """Threads that end together: when told to, or when one of them fails."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Begin work in a thread of its own."""

        def run() -> None:
            try:
                work()
            except BaseException as failure:
                self._failure = failure
                raise
            finally:
                self.stop.set()

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Return when it is time to stop."""
        self.stop.wait()

    def serve(self, server: Server, listener: socket) -> None:
        """Answer HTTP beside the other threads; return when all of them were told to end, and have.

        Raises
        ------
        BaseException
            What made one of the threads fail.
        """
        self.start("http", lambda: server.run(sockets=[listener]))
        self.wait()
        server.should_exit = True
        self.join()

    def join(self) -> None:
        """Give each thread a moment to end; raise what made one of them fail."""
        for thread in self._threads:
            thread.join(_STOP_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        structlog.get_logger(__name__).info("stopping", signal=signal.Signals(number).name)
        self.stop.set()
