"""Storages that do not answer: asked a few times, not for every file anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from dpps.domain.errors import DppsError, Unavailable

__all__ = ["SilentStorages"]

_TRIES: Final = 3
"""Failures in a row: a single file may lie on a bad disk, and others beside it be well."""


class SilentStorages:
    """Which storages have not answered lately; for as long as one look at a dataset lasts."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()

    def is_silent(self, rse: str) -> bool:
        """Tell whether a storage is not worth a question now."""
        return self._failures[rse] >= _TRIES

    def ask[Answer](self, rse: str, question: Callable[[], Answer]) -> Answer:
        """Ask a storage something, unless it did not answer some times in a row.

        Raises
        ------
        Unavailable
            When it does not answer.
        DppsError
            What it answers.
        """
        if self.is_silent(rse):
            raise Unavailable(
                f"{rse} did not answer {_TRIES} times in a row",
                code="storage-silent",
                next_step=f"look at the storage: dpps site show {rse}; the next look asks it again",
                rse=rse,
            )
        try:
            answer = question()
        except Unavailable:
            self._failures[rse] += 1
            raise
        except DppsError:
            self._failures[rse] = 0
            raise
        self._failures[rse] = 0
        return answer
