"""A judge that found a row held by another comes back to it soon."""

from __future__ import annotations

from copy import copy, deepcopy
from datetime import UTC, datetime, timedelta

from dpps.services.rucio_work import BriefNotes, BriefPauses


def test_a_long_pause_is_cut_and_a_short_one_is_kept() -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    pauses = BriefPauses()
    pauses["acada", "/ctao/acada/a"] = now + timedelta(minutes=10)
    pauses["acada", "/ctao/acada/b"] = now - timedelta(seconds=1)
    assert pauses["acada", "/ctao/acada/a"] < now + timedelta(minutes=1)
    assert pauses["acada", "/ctao/acada/b"] == now - timedelta(seconds=1)
    assert copy(pauses).keys() == deepcopy(pauses).keys() == pauses.keys()


def test_a_storage_with_little_to_delete_is_looked_at_again_soon_other_notes_last() -> None:
    asked: dict[str, float | None] = {}

    class Notes:
        def get(self, key: str, *, expiration_time: float | None = None) -> str:
            asked[key] = expiration_time
            return "note"

        def set(self, key: str, value: object) -> None:
            asked[key] = None

    pauses = BriefNotes(Notes(), prefix="pause_deletion_")
    assert pauses.get("pause_deletion_1", expiration_time=120) == "note"
    assert pauses.get("temporary_exclude_1", expiration_time=600) == "note"
    pauses.set("kept", True)
    assert (asked["pause_deletion_1"] or 0) < 10
    assert asked["temporary_exclude_1"] == 600
    assert "kept" in asked
