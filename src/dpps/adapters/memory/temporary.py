"""Temporary files in memory, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from dpps.domain.errors import NotFound
from dpps.domain.names import Lfn

__all__ = ["MemoryTemporaryKeeper"]


class MemoryTemporaryKeeper:
    """Remembers until when files are kept.

    Parameters
    ----------
    clock : callable
        Gives the time.
    is_registered : callable
        Tells whether the catalogue knows a file.
    """

    def __init__(self, clock: Callable[[], datetime], is_registered: Callable[[Lfn], bool]) -> None:
        self._clock = clock
        self._is_registered = is_registered
        self.expiries: dict[tuple[Lfn, str], datetime] = {}
        """By file and storage."""

    def keep(self, lfns: Sequence[Lfn], rse: str, lifetime: timedelta) -> Mapping[Lfn, datetime]:
        """Keep registered files at one storage for a time from now, at least; return until when."""
        for lfn in lfns:
            if not self._is_registered(lfn):
                raise NotFound(f"the catalogue has no file {lfn}", code="lfn-unknown", lfn=lfn)
        until = self._clock() + lifetime
        for lfn in lfns:
            self.expiries[lfn, rse] = max(until, self.expiries.get((lfn, rse), until))
        return {lfn: self.expiries[lfn, rse] for lfn in lfns}

    def extend(self, lfns: Sequence[Lfn], lifetime: timedelta) -> Mapping[Lfn, datetime]:
        """Let files that are kept for a time go after another one; return until when each is kept."""
        now = self._clock()
        for key, until in self.expiries.items():
            if key[0] in lfns and until > now:
                self.expiries[key] = now + lifetime
        return {lfn: until for (lfn, _), until in self.expiries.items() if lfn in lfns and until > now}
