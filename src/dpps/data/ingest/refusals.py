"""Which files are not tried again yet, and which errors mean that a file is wrong itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dpps.data.handover import HandedFile, Signature, signature_of, trigger_of
from dpps.domain.errors import DppsError

__all__ = ["RefusedFiles", "is_wrong_itself"]

_WRONG_ITSELF = frozenset(
    {"file-damaged", "file-too-expansive", "metadata-missing", "metadata-invalid", "metadata-contradicts"}
)
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_REFUSED_WAIT_SECONDS = 600.0
"""Even what only people can mend is looked at again: the mend may be elsewhere, as in the catalogue."""


def is_wrong_itself(error: DppsError) -> bool:
    """Tell whether an error condemns the bytes of the file: no retry and no mend elsewhere would help."""
    return error.code in _WRONG_ITSELF


@dataclass(frozen=True, slots=True)
class _Refusal:
    signature: Signature
    error: DppsError
    first_at: float
    wait_seconds: float
    retry_at: float


class RefusedFiles:
    """Remembers why files were not taken, as long as neither file nor trigger change.

    What may mend itself is tried again after one second, two, four, up to a minute; everything else after
    ten minutes. A change of file or trigger ends the waiting at once.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals: dict[Path, _Refusal] = {}

    def recall(self, handed: HandedFile) -> DppsError | None:
        """Return why a file is not to be tried now."""
        known = self._refusals.get(handed.path)
        if known is None or self._clock() >= known.retry_at or known.signature != signature_of(handed):
            return None
        return known.error

    def remember(self, handed: HandedFile, signature: Signature, error: DppsError) -> None:
        """Note why a file was not taken.

        Parameters
        ----------
        handed : HandedFile
            The file.
        signature : tuple of int
            What was refused: as the file was before it was looked at.
        error : DppsError
            The reason.
        """
        now = self._clock()
        known = self._refusals.get(handed.path)
        again = known is not None and known.signature == signature
        first_at = known.first_at if known is not None and again else now
        wait_seconds = _REFUSED_WAIT_SECONDS
        if error.retryable:
            doubled = 2 * known.wait_seconds if known is not None and again else _FIRST_WAIT_SECONDS
            wait_seconds = min(_LONGEST_WAIT_SECONDS, doubled)
        self._refusals[handed.path] = _Refusal(signature, error, first_at, wait_seconds, now + wait_seconds)

    def has_settled(self, handed: HandedFile, signature: Signature, seconds: float) -> bool:
        """Tell whether a file was refused in the same state this long ago."""
        known = self._refusals.get(handed.path)
        if seconds <= 0:
            return True
        return (
            known is not None and known.signature == signature and self._clock() - known.first_at >= seconds
        )

    def forget(self, handed: HandedFile) -> None:
        """Drop what is known of a file: it was taken, or quarantined."""
        self._refusals.pop(handed.path, None)

    def keep(self, announced: Iterable[HandedFile]) -> None:
        """Drop what is known of all other files: their triggers were removed by hand."""
        paths = {one.path for one in announced}
        self._refusals = {path: known for path, known in self._refusals.items() if path in paths}

    def listing(self) -> list[tuple[Path, DppsError]]:
        """Return the files that wait and are still announced, with the reasons, by path."""
        return [
            (path, refusal.error)
            for path, refusal in sorted(self._refusals.copy().items())
            if trigger_of(path).exists(follow_symlinks=False)
        ]
