"""Transition tables are closed: every state is reachable, final ones are final."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.domain.errors import InvalidTransition
from dpps.domain.work import (
    ExitReason,
    JobState,
    ProductionState,
    TaskState,
    TransformationState,
    WorkState,
    check_transition,
    following,
    is_final,
)

ENUMS = (ProductionState, TransformationState, TaskState, JobState)
STATES = [state for enum in ENUMS for state in enum]


@pytest.mark.parametrize("enum", ENUMS)
def test_every_state_is_reached_from_the_first(enum: type[WorkState]) -> None:
    first, *_ = enum
    seen: set[WorkState] = {first}
    border = [first]
    while border:
        for state in following(border.pop()):
            if state not in seen:
                seen.add(state)
                border.append(state)
    assert seen == set(enum)


@given(before=st.sampled_from(STATES), after=st.sampled_from(STATES))
def test_only_what_the_table_holds_passes(before: WorkState, after: WorkState) -> None:
    if type(before) is type(after) and after in following(before):
        check_transition("thing", before, after)
    else:
        with pytest.raises(InvalidTransition, match="thing"):
            check_transition("thing", before, after)


def test_final_states() -> None:
    assert {state for state in TaskState if is_final(state)} == {
        TaskState.DONE,
        TaskState.FAILED,
        TaskState.CANCELLED,
    }
    assert {state for state in JobState if is_final(state)} == {JobState.FAILED, JobState.SUCCEEDED}


def test_whose_failure_it_was() -> None:
    payload = {reason for reason in ExitReason if reason.is_payload_failure}
    assert payload == {ExitReason.FAILED, ExitReason.MEMLIMIT, ExitReason.MAXJOBDURATION}
