"""No rule gives way to one that lets go of the copies earlier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dpps.data.ports import ReplicationRule
from dpps.data.preservation.promises import end_of, keep_promises

_NOW = datetime(2026, 2, 14, 21, 30, tzinfo=UTC)
_DAY_SECONDS = 86400


def _rule(copies: int, days: int | None, expression: str = "OFFSITE=True") -> ReplicationRule:
    seconds = None if days is None else days * _DAY_SECONDS
    return ReplicationRule(dataset="/a/b/c", copies=copies, expression=expression, lifetime_seconds=seconds)


def _ours(*rules: ReplicationRule) -> dict[tuple[int, str], ReplicationRule]:
    return {(rule.copies, rule.expression): rule for rule in rules}


def test_a_rule_in_place_of_an_endless_one_is_endless() -> None:
    first, third = _rule(1, 10), _rule(3, 10)
    assert keep_promises([first, third], _ours(_rule(1, None), _rule(2, None)), _NOW) == [
        first,
        _rule(3, None),
    ]


def test_a_rule_that_stays_may_keep_the_promise() -> None:
    wanted = [_rule(1, 10)]
    assert keep_promises(wanted, _ours(_rule(1, None), _rule(2, None)), _NOW) == wanted


def test_a_later_end_is_taken_over() -> None:
    (kept,) = keep_promises([_rule(1, 10, "CSCS")], _ours(_rule(1, 20)), _NOW)
    assert kept.expires_at == _NOW + timedelta(days=20)
    assert kept.lifetime_seconds == 20 * _DAY_SECONDS


def test_rules_that_supersede_none_are_left_alone() -> None:
    wanted = [_rule(1, 10), _rule(2, None)]
    assert keep_promises(wanted, _ours(_rule(1, 20), _rule(2, None)), _NOW) == wanted
    assert keep_promises([], _ours(_rule(1, 20)), _NOW) == []


_RULES = st.lists(
    st.builds(
        _rule, st.integers(1, 4), st.none() | st.integers(1, 50), st.sampled_from(["OFFSITE=True", "CSCS"])
    ),
    max_size=5,
    unique_by=lambda rule: (rule.copies, rule.expression),
)


@given(_RULES.filter(bool), _RULES)
def test_the_last_copies_go_no_earlier_than_before(
    wanted: list[ReplicationRule], known: list[ReplicationRule]
) -> None:
    ours = _ours(*known)
    kept = keep_promises(wanted, ours, _NOW)
    assert [(one.copies, one.expression) for one in kept] == [(one.copies, one.expression) for one in wanted]
    assert all(end_of(new, _NOW) >= end_of(old, _NOW) for new, old in zip(kept, wanted, strict=True))
    there = [ours[key] for one in wanted if (key := (one.copies, one.expression)) in ours]
    last = max(end_of(one, _NOW) for one in [*kept, *there])
    assert all(last >= end_of(one, _NOW) for one in known)
