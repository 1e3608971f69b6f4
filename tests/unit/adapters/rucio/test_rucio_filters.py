"""Which conditions the catalogue's server can decide as we do."""

from __future__ import annotations

import pytest

from dpps.adapters.rucio.filters import server_query
from dpps.data.query.parsing import parse_query


@pytest.mark.parametrize(
    ("expression", "group"),
    [
        ("instance__observing_night = '2026-02-15'", {"instance__observing_night": "2026-02-15"}),
        ("instance__observing_night >= '2026-02-15'", {"instance__observing_night.gte": "2026-02-15"}),
        ("data__level = 'DL0'", {"data__level": "DL0"}),
        ("obs_id = 5", {"obs_id": 5}),
    ],
)
def test_the_server_decides_exactly(expression: str, group: dict[str, object]) -> None:
    assert server_query(parse_query(expression)).groups == (group,)
    assert server_query(parse_query(expression)).exact


@pytest.mark.parametrize(
    "value", ["2026", "2026-02-15 21:00:00", "20-26", "１２３４-０２-１５", "true", "a*b"]
)
def test_texts_that_the_server_would_take_for_something_else_are_decided_here(value: str) -> None:
    wanted = server_query(parse_query(f"dpps__production = '{value}'"))
    assert wanted.groups == ({},)
    assert not wanted.exact
