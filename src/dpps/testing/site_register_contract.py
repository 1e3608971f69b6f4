"""What every implementation of ``SiteRegister`` must do.

Subclass `SiteRegisterContract` and give the fixtures ``register`` and ``raw``; what the tests change is put
back by ``raw``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from dpps.data.sites import Availability, SiteRegister
from dpps.domain.errors import InvalidInput

__all__ = ["RawSites", "SiteRegisterContract"]


class RawSites(Protocol):
    """Direct access to what the catalogue knows of storages, two of which the tests may change."""

    rse: str
    other: str

    def names(self) -> list[str]:
        """Return the names of all storages."""
        ...

    def availability(self, rse: str) -> Availability:
        """Return what may be done with a storage."""
        ...

    def distance(self, source: str, destination: str) -> int | None:
        """Return the distance of a link."""
        ...

    def wait_at(self, rse: str) -> tuple[str, str]:
        """Let a rule wait for a storage; return its id and its dataset."""
        ...

    def transfers(self, rule_id: str) -> set[str]:
        """Return what identifies the transfers that a rule has asked for and that are not over."""
        ...

    def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is met; fail when it never is."""
        ...


class SiteRegisterContract:
    """The suite."""

    def test_all_storages_are_told_by_name(self, register: SiteRegister, raw: RawSites) -> None:
        found = register.conditions()
        assert [one.rse for one in found] == sorted(raw.names())
        assert {one.rse: one.availability for one in found} == {
            rse: raw.availability(rse) for rse in raw.names()
        }
        assert all(one.url_prefix and not one.url_prefix.endswith("/") for one in found)
        assert all(one.onsite == ("ONSITE" in one.attributes) for one in found)
        assert all(one.files >= 0 and one.used_bytes >= 0 for one in found)

    def test_named_storages_are_told_alone_and_unknown_ones_refused(
        self, register: SiteRegister, raw: RawSites
    ) -> None:
        named = sorted([raw.rse, raw.other], reverse=True)
        assert [one.rse for one in register.conditions(named)] == sorted(named)
        assert register.conditions([]) == []
        with pytest.raises(InvalidInput, match="NOWHERE") as refused:
            register.conditions([raw.rse, "NOWHERE"])
        assert refused.value.next_step

    @pytest.mark.parametrize(
        "wanted",
        [Availability(write=False), Availability(read=False, delete=False), Availability()],
        ids=["no writing", "no reading nor deleting", "everything"],
    )
    def test_what_may_be_done_with_a_storage_is_changed_for_it_alone(
        self, register: SiteRegister, raw: RawSites, wanted: Availability
    ) -> None:
        before = raw.availability(raw.other)
        for _ in range(2):
            register.set_availability(raw.rse, wanted)
            assert raw.availability(raw.rse) == wanted
        (told,) = register.conditions([raw.rse])
        assert told.availability == wanted
        assert raw.availability(raw.other) == before

    def test_distances_are_of_one_direction_and_may_be_taken_away(
        self, register: SiteRegister, raw: RawSites
    ) -> None:
        back = raw.distance(raw.other, raw.rse)
        assert register.distance(raw.rse, raw.other) == raw.distance(raw.rse, raw.other)
        for distance in (7, None, None, 9):
            register.set_distance(raw.rse, raw.other, distance)
            assert raw.distance(raw.rse, raw.other) == distance
            assert register.distance(raw.rse, raw.other) == distance
        assert raw.distance(raw.other, raw.rse) == back

    def test_what_waits_for_a_storage_is_told_and_looks_for_another_place(
        self, register: SiteRegister, raw: RawSites
    ) -> None:
        rule_id, dataset = raw.wait_at(raw.rse)
        raw.eventually(lambda: rule_id in {one.rule_id for one in register.waiting_rules(raw.rse)})
        (waiting,) = [one for one in register.waiting_rules(raw.rse) if one.rule_id == rule_id]
        assert waiting.dataset == dataset
        assert waiting.state
        raw.eventually(lambda: bool(raw.transfers(rule_id)))
        before = raw.transfers(rule_id)
        register.place_elsewhere([rule_id])
        raw.eventually(lambda: before.isdisjoint(raw.transfers(rule_id)))
        register.place_elsewhere([])
