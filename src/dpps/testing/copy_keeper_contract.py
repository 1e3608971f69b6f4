"""What every implementation of ``CopyKeeper`` must do.

Subclass `CopyKeeperContract` and give the fixtures ``keeper`` and ``raw``. Whether a copy is held is seen in
the store itself.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dpps.data.preservation.releasing import CopyKeeper
from dpps.domain.names import Lfn

__all__ = ["CopyKeeperContract", "RawCopies"]


class RawCopies(Protocol):
    """Direct access to what the catalogue keeps."""

    rse: str

    def register(self) -> Lfn:
        """Register a new file with a complete copy at the storage."""
        ...

    def is_held(self, lfn: Lfn) -> bool:
        """Tell whether a rule holds the copy."""
        ...

    def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is met; fail when it never is."""
        ...


class CopyKeeperContract:
    """The suite."""

    def test_a_copy_is_held_until_it_is_let_go(self, keeper: CopyKeeper, raw: RawCopies) -> None:
        lfn, other = raw.register(), raw.register()
        keeper.keep(raw.rse, [lfn])
        assert keeper.keep(raw.rse, [lfn, other]) == {}
        assert raw.is_held(lfn)
        assert raw.is_held(other)
        assert keeper.let_go(raw.rse, [lfn]) == [lfn]
        raw.eventually(lambda: not raw.is_held(lfn))
        raw.eventually(lambda: keeper.let_go(raw.rse, [lfn]) == [])
        assert raw.is_held(other)

    def test_a_copy_that_is_being_let_go_can_be_held_again(self, keeper: CopyKeeper, raw: RawCopies) -> None:
        lfn = raw.register()
        keeper.keep(raw.rse, [lfn])
        keeper.let_go(raw.rse, [lfn])
        keeper.keep(raw.rse, [lfn])
        assert raw.is_held(lfn)
        assert keeper.let_go(raw.rse, [lfn]) == [lfn]

    def test_many_copies_are_held_and_let_go_together(self, keeper: CopyKeeper, raw: RawCopies) -> None:
        held, more, never = [[raw.register() for _ in range(3)] for _ in range(3)]
        assert keeper.keep(raw.rse, held) == {}
        assert keeper.keep(raw.rse, [*more, *held]) == {}
        assert all(map(raw.is_held, [*held, *more]))
        assert keeper.let_go(raw.rse, [never[0], *held, *never[1:]]) == held
        raw.eventually(lambda: not any(map(raw.is_held, held)))
        assert all(map(raw.is_held, more))

    def test_what_was_never_held_is_not_let_go(self, keeper: CopyKeeper, raw: RawCopies) -> None:
        assert keeper.let_go(raw.rse, [raw.register()]) == []
