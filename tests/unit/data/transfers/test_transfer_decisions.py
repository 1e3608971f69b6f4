"""What happens after a failure, and what a job's state is, for every case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.data.transfers.decisions import POLICIES, Failure, FailureClass, decide
from dpps.data.transfers.records import Claim, FileRequest
from dpps.data.transfers.states import (
    TRANSITIONS,
    FileState,
    JobState,
    JobType,
    check_transition,
    job_state,
)
from dpps.domain.errors import InvalidTransition

NOW = datetime(2026, 2, 14, 22, tzinfo=UTC)


def build_claim(*, attempts: int = 0, sources: int = 1, source_position: int = 0) -> Claim:
    request = FileRequest(
        sources=tuple(f"memory://{n}/x" for n in range(sources)), destination="memory://d/x"
    )
    return Claim(
        file_id=1,
        number=attempts + 1,
        worker=1,
        request=request,
        source_position=source_position,
        attempts=attempts,
        overwrite=False,
        verify_checksum=True,
        cancel_requested=False,
    )


def test_every_class_of_failure_has_its_policy() -> None:
    assert set(POLICIES) == set(FailureClass)


@given(kind=st.sampled_from(FailureClass), sources=st.integers(1, 4))
def test_every_failure_ends_and_never_sooner_than_its_policy_allows(kind: FailureClass, sources: int) -> None:
    position, attempts, at = 0, 0, NOW
    while True:
        claim = build_claim(attempts=attempts, sources=sources, source_position=position)
        settlement = decide(Failure(kind=kind, reason="why"), claim, at)
        attempts += 1
        assert settlement.reason == "why"
        if settlement.state is FileState.FAILED:
            break
        assert settlement.state is FileState.SUBMITTED
        assert settlement.due_at is not None
        assert timedelta(0) <= settlement.due_at - at <= timedelta(seconds=300)
        at = settlement.due_at
        position = position if settlement.source_position is None else settlement.source_position
    assert attempts == POLICIES[kind].attempts_max + position


def test_the_delay_doubles() -> None:
    full = Failure(kind=FailureClass.DESTINATION_FULL, reason="full")
    delays = [decide(full, build_claim(attempts=n), NOW).due_at for n in range(3)]
    assert delays == [NOW + timedelta(seconds=seconds) for seconds in (10, 20, 40)]


def test_what_cannot_help_is_not_tried_again() -> None:
    denied = Failure(kind=FailureClass.DESTINATION_WRITE, reason="denied", permanent=True)
    assert decide(denied, build_claim(), NOW).state is FileState.FAILED


def test_another_source_is_tried_at_once() -> None:
    lost = Failure(kind=FailureClass.SOURCE_MISSING, reason="lost", permanent=True)
    settlement = decide(lost, build_claim(sources=2), NOW)
    assert (settlement.state, settlement.due_at, settlement.source_position) == (FileState.SUBMITTED, NOW, 1)


S, A, D, F, C, U = (
    FileState.SUBMITTED,
    FileState.ACTIVE,
    FileState.FINISHED,
    FileState.FAILED,
    FileState.CANCELED,
    FileState.NOT_USED,
)


@pytest.mark.parametrize(
    ("files", "kind", "expected"),
    [
        ([S, S], JobType.REGULAR, JobState.SUBMITTED),
        ([S, A], JobType.REGULAR, JobState.ACTIVE),
        ([D, S], JobType.REGULAR, JobState.ACTIVE),
        ([D, D], JobType.REGULAR, JobState.FINISHED),
        ([D, F], JobType.REGULAR, JobState.FINISHEDDIRTY),
        ([D, C], JobType.REGULAR, JobState.FINISHEDDIRTY),
        ([F, F], JobType.MULTIPLE_REPLICA, JobState.FAILED),
        ([F, C], JobType.REGULAR, JobState.FAILED),
        ([C, C], JobType.REGULAR, JobState.CANCELED),
        ([S, U], JobType.MULTI_HOP, JobState.SUBMITTED),
        ([D, S, U], JobType.MULTI_HOP, JobState.ACTIVE),
        ([D, F, U], JobType.MULTI_HOP, JobState.FAILED),
        ([D, C, U], JobType.MULTI_HOP, JobState.CANCELED),
        ([D, D], JobType.MULTI_HOP, JobState.FINISHED),
    ],
)
def test_the_state_of_a_job_follows_from_its_files(
    files: list[FileState], kind: JobType, expected: JobState
) -> None:
    assert job_state(files, kind) is expected


@given(old=st.sampled_from(FileState), new=st.sampled_from(FileState))
def test_only_transitions_of_the_table_are_allowed(old: FileState, new: FileState) -> None:
    if new in TRANSITIONS[old]:
        check_transition(old, new)
    else:
        with pytest.raises(InvalidTransition):
            check_transition(old, new)
