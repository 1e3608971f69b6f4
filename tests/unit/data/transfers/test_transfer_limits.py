"""Turns of activities, names of storages and breakers, as pure decisions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.data.transfers.breaker import FAILURES_MAX, Breaker, after_attempt, breakers_after
from dpps.data.transfers.failures import End, Failure, FailureClass
from dpps.data.transfers.lanes import Lane, StorageNames, is_named, storage_name
from dpps.data.transfers.limits import ActivityShares, take_turn
from dpps.data.transfers.records import Settlement
from dpps.data.transfers.states import FileState

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)
LANE = Lane(source="davs://a", destination="davs://b")


@given(weights=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1))
def test_turns_follow_the_weights(weights: dict[str, int]) -> None:
    shares = ActivityShares(weights={name: float(weight) for name, weight in weights.items()})
    served: dict[str, float] = {}
    turns: Counter[str] = Counter()
    for _ in range(10 * sum(weights.values())):
        activity, served = take_turn(sorted(weights), shares, served)
        turns[activity] += 1
    for name, weight in weights.items():
        assert turns[name] == pytest.approx(10 * weight, abs=1)


def test_idle_activities_save_up_no_turns() -> None:
    shares, served = ActivityShares(), dict[str, float]()
    for _ in range(100):
        _, served = take_turn(["busy"], shares, served)
    turns: Counter[str] = Counter()
    for _ in range(10):
        activity, served = take_turn(["busy", "late"], shares, served)
        turns[activity] += 1
    assert turns == {"busy": 5, "late": 5}


def test_weight_zero_gets_what_others_leave() -> None:
    shares = ActivityShares(weights={"last": 0.0})
    assert take_turn(["last", "other"], shares, {})[0] == "other"
    assert take_turn(["last"], shares, {})[0] == "last"


def test_storages_are_named_as_fts_names_them_and_more_closely_where_one_machine_has_several() -> None:
    assert storage_name("davs://se.example.org:2880/ctao") == "davs://se.example.org:2880"
    assert storage_name("file://localhost/srv/CSCS/") == "file://localhost/srv/CSCS"
    names = StorageNames(["file://localhost/srv/CSCS", "file://localhost/srv/CSCS-2"])
    assert names.of("file://localhost/srv/CSCS-2/ctao/x") == "file://localhost/srv/CSCS-2"
    assert names.of("file://localhost/tmp/x") == "file://localhost"
    assert names.of("davs://se.example.org:2880//ctao/x") == "davs://se.example.org:2880"
    assert names.of("nonsense") == "nonsense"
    assert is_named("davs://se.example.org", "davs://se.example.org:2880")
    assert not is_named("davs://se.example.or", "davs://se.example.org:2880")


def _network(end: End) -> Settlement:
    failure = Failure(kind=FailureClass.NETWORK, reason="no answer", end=end)
    return Settlement(state=FileState.SUBMITTED, failure=failure)


@pytest.mark.parametrize("scheme", ["https", "davs", "root", "roots"])
def test_a_server_has_one_name_over_all_its_protocols(scheme: str) -> None:
    names = StorageNames(["https://127.0.0.1:15000", "https://se.example.org:2880/ctao"])

    assert names.of(f"{scheme}://127.0.0.1:15000//ctao/a.dat") == "https://127.0.0.1:15000"
    assert names.of(f"{scheme}://se.example.org:2880/ctao/a.dat") == "https://se.example.org:2880"
    assert names.of(f"{scheme}://other:1//ctao/a.dat") == f"{scheme}://other:1"


@pytest.mark.parametrize(("end", "guilty"), [(End.SOURCE, "davs://a"), (End.DESTINATION, "davs://b")])
def test_a_network_failure_accuses_the_end_that_it_happened_at(end: End, guilty: str) -> None:
    (changed,) = breakers_after(LANE, _network(end), {}, NOW)
    assert changed == guilty


def test_other_failures_prove_nothing_and_an_arrival_proves_both_well() -> None:
    known = {"davs://b": Breaker(storage="davs://b", failures=2, reason="", since=NOW)}
    full = Failure(kind=FailureClass.DESTINATION_FULL, reason="full")
    assert breakers_after(LANE, Settlement(state=FileState.FAILED, failure=full), known, NOW) == {}
    assert breakers_after(LANE, Settlement(state=FileState.FINISHED), known, NOW) == {"davs://b": None}


def test_pauses_grow_and_failures_that_were_under_way_do_not_count() -> None:
    state: Breaker | None = None
    for _ in range(FAILURES_MAX):
        assert state is None or state.rests_until is None
        state = after_attempt(state, "s", "no answer", NOW)
    assert state is not None
    assert state.rests_until is not None
    assert after_attempt(state, "s", "no answer", NOW).rests_until == state.rests_until
    pauses = []
    for _ in range(10):
        now = state.rests_until
        assert now is not None
        state = after_attempt(state, "s", "no answer", now)
        assert state.rests_until is not None
        pauses.append(state.rests_until - now)
    assert pauses == sorted(pauses)
    assert pauses[0] > timedelta(seconds=15)
    assert pauses[-1] == timedelta(seconds=900)
