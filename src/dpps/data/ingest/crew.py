"""Who does the reading: the port of worker processes, and the caller itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from dpps.domain.errors import Unavailable

__all__ = ["CallerCrew", "Crew", "Interrupted", "UnderWay", "inspection_failed"]


class Interrupted(Exception):
    """The pass was told to stop while it waited for its workers."""


class UnderWay[R](Protocol):
    """Work that was given to a crew."""

    def results(self, stopping: Callable[[], bool]) -> list[R | Exception]:
        """Wait for all of it, and return a result or an exception for each item, in order.

        An item whose worker died is tried once more, alone; other items are not affected.

        Raises
        ------
        Interrupted
            When ``stopping`` returned true meanwhile.
        """
        ...


class Crew(Protocol):
    """Does one thing to many items."""

    def start[T, R](self, task: Callable[[T], R], items: Sequence[T]) -> UnderWay[R]:
        """Begin; task and items may be sent to another process."""
        ...


class CallerCrew:
    """Does everything in the calling process, when the results are wanted."""

    def start[T, R](self, task: Callable[[T], R], items: Sequence[T]) -> UnderWay[R]:
        """Take the work."""
        return _Later(task, items)


class _Later[T, R]:
    def __init__(self, task: Callable[[T], R], items: Sequence[T]) -> None:
        self._task = task
        self._items = items

    def results(self, stopping: Callable[[], bool]) -> list[R | Exception]:
        found: list[R | Exception] = []
        for item in self._items:
            if stopping():
                raise Interrupted
            try:
                found.append(self._task(item))
            except Exception as wrong:  # handed to the caller, as a worker process would
                found.append(wrong)
        return found


def inspection_failed(path: object, wrong: Exception) -> Unavailable:
    """Return the error of a file whose reading ended in a way that nobody expected."""
    return Unavailable(
        f"{path}: its inspection failed: {type(wrong).__name__}: {wrong}",
        code="inspection-failed",
        next_step="it is tried again; if it goes on, send the file and this message to the maintainers",
        path=path,
    )
