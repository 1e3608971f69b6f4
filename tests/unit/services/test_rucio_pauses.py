"""A judge that found a row held by another comes back to it soon."""

from __future__ import annotations

from copy import copy, deepcopy
from datetime import UTC, datetime, timedelta

from dpps.services.rucio_work import BriefPauses


def test_a_long_pause_is_cut_and_a_short_one_is_kept() -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    pauses = BriefPauses()
    pauses["acada", "/ctao/acada/a"] = now + timedelta(minutes=10)
    pauses["acada", "/ctao/acada/b"] = now - timedelta(seconds=1)
    assert pauses["acada", "/ctao/acada/a"] < now + timedelta(minutes=1)
    assert pauses["acada", "/ctao/acada/b"] == now - timedelta(seconds=1)
    assert copy(pauses).keys() == deepcopy(pauses).keys() == pauses.keys()
