"""What every implementation of the ``HoldStore`` port must do; give the fixture ``store`` (empty)."""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from dpps.data.sites import Hold, HoldKind, HoldStore

__all__ = ["HoldStoreContract"]

DRAIN = Hold(
    kind=HoldKind.DRAIN,
    source="PIC",
    reason="disk change",
    held_by="alice",
    held_at=datetime(2026, 2, 14, 22, tzinfo=UTC),
    remembered={"read": True, "write": False},
)


class HoldStoreContract:
    """The suite."""

    def test_holds_are_given_back_in_order_as_they_were(self, store: HoldStore) -> None:
        link = replace(DRAIN, kind=HoldKind.LINK, destination="CSCS", remembered={"distance": 7})
        store.put(link)
        store.put(DRAIN)
        assert store.holds() == [DRAIN, link]

    def test_the_last_one_of_the_same_ends_counts(self, store: HoldStore) -> None:
        store.put(DRAIN)
        again = replace(DRAIN, reason="longer than thought")
        store.put(again)
        assert store.holds() == [again]

    def test_one_is_forgotten_and_others_stay(self, store: HoldStore) -> None:
        pause = replace(DRAIN, kind=HoldKind.PAUSE)
        store.put(DRAIN)
        store.put(pause)
        store.remove(DRAIN)
        store.remove(DRAIN)
        assert store.holds() == [pause]
