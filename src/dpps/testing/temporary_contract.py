"""What every implementation of the ``TemporaryKeeper`` port must do.

Subclass `TemporaryContract`; give the fixtures ``keeper`` and ``raw``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from dpps.data.temporary import TemporaryKeeper
from dpps.domain.errors import NotFound
from dpps.domain.names import Lfn

__all__ = ["RawTemporary", "TemporaryContract"]

_DAY = timedelta(days=1)
_CLOSE = timedelta(minutes=2)


class RawTemporary(Protocol):
    """Direct access to what is kept, without the code under test."""

    rse: str

    def register(self, count: int) -> list[Lfn]:
        """Register new files in the temporary scope, at ``rse``; nothing keeps them yet."""
        ...

    def expiry(self, lfn: Lfn) -> datetime | None:
        """Return the moment up to which the file is kept; None when nothing keeps it."""
        ...


class TemporaryContract:
    """The suite."""

    @staticmethod
    def after(lifetime: timedelta, found: datetime | None) -> bool:
        """Tell whether a moment is that time from now, give or take the time a test takes."""
        return found is not None and abs(found - datetime.now(UTC) - lifetime) < _CLOSE

    def test_files_are_kept_for_the_time(self, keeper: TemporaryKeeper, raw: RawTemporary) -> None:
        lfns = raw.register(3)
        told = keeper.keep(lfns, raw.rse, _DAY)
        assert set(told) == set(lfns)
        for lfn in lfns:
            assert self.after(_DAY, told[lfn])
            assert self.after(_DAY, raw.expiry(lfn))

    def test_keeping_again_never_shortens(self, keeper: TemporaryKeeper, raw: RawTemporary) -> None:
        old, fresh = raw.register(2)
        keeper.keep([old], raw.rse, 2 * _DAY)
        told = keeper.keep([old, fresh], raw.rse, _DAY)
        assert self.after(2 * _DAY, told[old])
        assert self.after(2 * _DAY, raw.expiry(old))
        assert self.after(_DAY, raw.expiry(fresh))
        assert self.after(3 * _DAY, keeper.keep([old], raw.rse, 3 * _DAY)[old])
        assert self.after(3 * _DAY, raw.expiry(old))

    def test_an_extension_sets_the_time_anew(self, keeper: TemporaryKeeper, raw: RawTemporary) -> None:
        (lfn,) = raw.register(1)
        keeper.keep([lfn], raw.rse, 2 * _DAY)
        for lifetime in (9 * _DAY, _DAY):
            assert self.after(lifetime, keeper.extend([lfn], lifetime)[lfn])
            assert self.after(lifetime, raw.expiry(lfn))

    def test_what_nothing_keeps_is_not_extended(self, keeper: TemporaryKeeper, raw: RawTemporary) -> None:
        (lfn,) = raw.register(1)
        assert keeper.extend([lfn], _DAY) == {}
        assert raw.expiry(lfn) is None

    def test_an_unknown_file_cannot_be_kept(self, keeper: TemporaryKeeper, raw: RawTemporary) -> None:
        with pytest.raises(NotFound):
            keeper.keep([Lfn("/ctao/tmp/nobody/nothing.dat")], raw.rse, _DAY)
