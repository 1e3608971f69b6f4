"""Settings that are kept near, and a cache that goes and comes back."""

from __future__ import annotations

from typing import Any

from dpps.services.rucio_cache import NearNotes


class Shared:
    """A cache that counts what it is asked."""

    def __init__(self) -> None:
        self.notes: dict[str, object] = {}
        self.asked = 0

    def get(self, key: str, **_options: Any) -> object:
        self.asked += 1
        return self.notes.get(key, NOTHING)

    def set(self, key: str, value: object) -> None:
        self.notes[key] = value

    def delete(self, key: str) -> None:
        self.notes.pop(key, None)


NOTHING = object()
"""What a cache answers when it has nothing; stands for dogpile's own."""


def test_a_setting_is_asked_for_once_in_a_while() -> None:
    shared, now = Shared(), [0.0]
    near = NearNotes(shared, seconds=3.0, clock=lambda: now[0])
    near.set("get_conveyor_scheme", "https")
    assert [near.get("get_conveyor_scheme", expiration_time=900) for _ in range(5)] == ["https"] * 5
    assert shared.asked == 0
    shared.set("get_conveyor_scheme", "file")  # another process
    now[0] = 3.5
    assert near.get("get_conveyor_scheme") == "file"
    assert near.get("get_conveyor_scheme") == "file"
    assert shared.asked == 1


def test_what_is_unknown_or_can_be_changed_by_its_reader_is_asked_for_each_time() -> None:
    shared = Shared()
    near = NearNotes(shared, seconds=3.0, clock=lambda: 0.0)
    assert near.get("get_hermes_host") is NOTHING
    near.set("sections", ["conveyor"])
    near.get("sections").append("changed")
    assert near.get("get_hermes_host") is NOTHING
    assert shared.asked == 3


def test_what_is_deleted_is_gone_here_and_there() -> None:
    shared = Shared()
    near = NearNotes(shared, seconds=3.0, clock=lambda: 0.0)
    near.set("has_section_conveyor", True)
    near.delete("has_section_conveyor")
    assert near.get("has_section_conveyor") is NOTHING
    assert shared.notes == {}
