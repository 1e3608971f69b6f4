"""Decisions about services: order, selection, states, restarts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.domain.errors import InvalidInput, InvalidTransition
from dpps.ops.probes import always_ready
from dpps.ops.service import (
    TRANSITIONS,
    RestartPolicy,
    Service,
    ServiceState,
    assert_transition,
    select,
    start_order,
)


def _service(name: str, *needs: str) -> Service:
    return Service(name=name, purpose="test", command=("true",), depends_on=needs, probe=always_ready)


@st.composite
def _tables(draw: st.DrawFn) -> list[Service]:
    """Tables without circles: each service may need earlier ones only."""
    count = draw(st.integers(1, 8))
    names = [f"s{number}" for number in range(count)]
    table = [
        _service(name, *sorted(draw(st.sets(st.sampled_from(names[:number]))) if number else ()))
        for number, name in enumerate(names)
    ]
    return draw(st.permutations(table))


@given(_tables())
def test_every_service_starts_once_and_after_all_that_it_needs(table: list[Service]) -> None:
    wave_of = {name: number for number, wave in enumerate(start_order(table)) for name in wave}
    assert sorted(wave_of) == sorted(service.name for service in table)
    assert all(wave_of[need] < wave_of[service.name] for service in table for need in service.depends_on)


@given(_tables(), st.data())
def test_a_selection_can_run_alone_and_holds_nothing_needless(
    table: list[Service], data: st.DataObject
) -> None:
    wanted = data.draw(st.sets(st.sampled_from([service.name for service in table])))
    chosen = select(table, wanted)
    start_order(chosen)
    names = {service.name for service in chosen}
    assert wanted <= names
    needed = {need for service in chosen for need in service.depends_on}
    assert names == wanted | needed


def test_a_circle_is_refused() -> None:
    with pytest.raises(InvalidInput, match="circle"):
        start_order([_service("a", "b"), _service("b", "a")])


def test_an_unknown_dependency_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nobody"):
        start_order([_service("a", "nobody")])


def test_an_unknown_service_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="'c'") as refused:
        select([_service("a"), _service("b")], ["c"])
    assert refused.value.next_step == "choose from: a, b"


@given(st.integers(1, 10_000), st.floats(0.01, 10), st.floats(1, 5), st.floats(10, 1000))
def test_waiting_grows_to_its_limit_and_never_beyond(
    failures: int, first: float, factor: float, longest: float
) -> None:
    policy = RestartPolicy(first_seconds=first, factor=factor, longest_seconds=longest)
    delay = policy.delay_seconds(failures)
    assert first <= delay <= longest
    assert delay <= policy.delay_seconds(failures + 1)


@given(st.integers(0, 100), st.floats(0, 10_000))
def test_being_ready_for_long_makes_earlier_failures_forgotten(before: int, ready_seconds: float) -> None:
    policy = RestartPolicy()
    expected = 1 if ready_seconds >= policy.settled_seconds else before + 1
    assert policy.failures(before, ready_seconds) == expected


def test_only_a_service_that_never_worked_is_given_up() -> None:
    policy = RestartPolicy(attempts=3)
    assert not policy.gives_up(2, was_ready=False)
    assert policy.gives_up(3, was_ready=False)
    assert not policy.gives_up(1000, was_ready=True)


@pytest.mark.parametrize("old", list(ServiceState))
@pytest.mark.parametrize("new", list(ServiceState))
def test_the_transition_table_decides(old: ServiceState, new: ServiceState) -> None:
    if new in TRANSITIONS[old]:
        assert_transition("x", old, new)
    else:
        with pytest.raises(InvalidTransition, match=f"from {old} to {new}"):
            assert_transition("x", old, new)


def test_every_state_is_in_the_table_and_every_life_can_end() -> None:
    assert TRANSITIONS.keys() == set(ServiceState)

    def can_stop(state: ServiceState, seen: frozenset[ServiceState] = frozenset()) -> bool:
        if state in {ServiceState.STOPPED, ServiceState.ABSENT}:
            return True
        return any(can_stop(after, seen | {state}) for after in TRANSITIONS[state] - seen)

    assert all(can_stop(state) for state in ServiceState)
