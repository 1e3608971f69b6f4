"""Worker processes that read files: started once, replaced when one dies, gone when the caller is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Final

from dpps.data.ingest.crew import CallerCrew, Interrupted, UnderWay
from dpps.domain.errors import Unavailable

__all__ = ["ProcessCrew"]

_LOOK_SECONDS: Final = 0.2
"""How often a waiting caller looks whether it is to stop."""


class ProcessCrew:
    """Worker processes; made with the first work that is worth them, ended by `close`.

    Parameters
    ----------
    workers : int
        How many processes.
    few : int
        Work of at most so many items is done by the caller while there are no workers yet: starting them
        takes longer. With 0 every item goes to a worker, which the caller survives whatever an item does.
    preload : sequence of str
        Modules that every worker imports once, before its first item.
    """

    def __init__(self, workers: int, *, few: int = 0, preload: Sequence[str] = ()) -> None:
        self._workers = workers
        self._few = few
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._leash: Connection | None = None
        self._closed = False

    def start[T, R](self, task: Callable[[T], R], items: Sequence[T]) -> UnderWay[R]:
        """Begin; task and items are sent to the workers."""
        if self._pool is None and len(items) <= self._few:
            return CallerCrew().start(task, items)
        return _InPool(self, task, items)

    def close(self) -> None:
        """End the workers now, whatever they do; work under way is lost, and its callers interrupted."""
        with self._lock:
            self._closed = True
            self._end_pool()

    def rest(self) -> None:
        """End the workers until there is work again: an idle process needs memory too."""
        with self._lock:
            self._end_pool()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def submit[T, R](self, task: Callable[[T], R], item: T) -> Future[R]:
        """Give one item to the pool.

        Raises
        ------
        Interrupted
            When the crew was closed.
        """
        with self._lock:
            if self._closed:
                raise Interrupted
            if self._pool is None:
                self._pool = self._new_pool()
            try:
                return self._pool.submit(task, item)
            except BrokenProcessPool:
                self._end_pool()
                self._pool = self._new_pool()
                return self._pool.submit(task, item)

    def _new_pool(self) -> ProcessPoolExecutor:
        # Neither fork (the caller has threads) nor a server process that would outlive a killed caller.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._leash = ours
        return ProcessPoolExecutor(
            self._workers, mp_context=context, initializer=_begin, initargs=(theirs, self._preload)
        )

    def _end_pool(self) -> None:
        pool, leash, self._pool, self._leash = self._pool, self._leash, None, None
        if leash is not None:
            leash.close()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


class _InPool[T, R]:
    def __init__(self, crew: ProcessCrew, task: Callable[[T], R], items: Sequence[T]) -> None:
        self._crew = crew
        self._task = task
        self._items = items
        self._futures = [crew.submit(task, item) for item in items]

    def results(self, stopping: Callable[[], bool]) -> list[R | Exception]:
        found: list[R | Exception] = []
        for item, future in zip(self._items, self._futures, strict=True):
            try:
                result = _result(future, stopping)
            except (BrokenProcessPool, CancelledError):
                result = self._again(item, stopping)
            found.append(result)
        return found

    def _again(self, item: T, stopping: Callable[[], bool]) -> R | Exception:
        """Try an item once more, alone: the worker may have died of another one."""
        try:
            future = self._crew.submit(self._task, item)
            result = _result(future, stopping)
        except (BrokenProcessPool, CancelledError):
            if self._crew.is_closed:
                raise Interrupted from None
            return Unavailable(
                "the worker process died of it, twice",
                code="worker-died",
                next_step="look at memory and disk of this machine, and at the file",
            )
        return result


def _result[R](future: Future[R], stopping: Callable[[], bool]) -> R | Exception:
    while not future.done():
        if stopping():
            raise Interrupted
        wait([future], _LOOK_SECONDS)
    failure = future.exception()
    if failure is None:
        return future.result()
    if isinstance(failure, BrokenProcessPool) or not isinstance(failure, Exception):
        raise failure
    return failure


def _begin(leash: Connection, preload: Sequence[str]) -> None:
    """Prepare a worker: it ends when the other end of its leash is closed, as when the caller is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the caller decides
    threading.Thread(target=_end_with, args=(leash,), name="leash", daemon=True).start()
    for module in preload:
        import_module(module)


def _end_with(leash: Connection) -> None:
    leash.poll(None)
    os._exit(0)
