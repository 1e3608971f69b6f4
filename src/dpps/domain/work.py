"""The closed states of work, what may follow what, and how attempts end.

A production is a graph of transformations; a transformation makes tasks of its inputs; a task is attempted
by jobs until one of them wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dpps.domain.errors import InvalidTransition

__all__ = [
    "ExitReason",
    "JobState",
    "ProductionState",
    "TaskState",
    "TransformationState",
    "WorkState",
    "check_transition",
    "following",
    "is_final",
]


class ProductionState(StrEnum):
    """State of a campaign."""

    ACTIVE = "active"
    """At least one transformation is not finished."""
    DONE = "done"
    """Every transformation is done."""
    PARTIAL = "partial"
    """Finished: some tasks are published, others failed for good."""
    FAILED = "failed"
    """Finished, and no transformation published anything."""
    CANCELLED = "cancelled"
    """Somebody ended it early; what was published until then stays."""


class TransformationState(StrEnum):
    """State of one step of a production."""

    OPEN = "open"
    """Further inputs may come: what it reads from is not finished."""
    CLOSED = "closed"
    """All its tasks are made; some are not finished."""
    DONE = "done"
    """All its tasks are published."""
    PARTIAL = "partial"
    """Finished: some tasks are published, others failed for good."""
    FAILED = "failed"
    """Finished: no task is published."""
    CANCELLED = "cancelled"
    """Its production was cancelled before it was finished."""


class TaskState(StrEnum):
    """State of one group of inputs."""

    READY = "ready"
    """Waits for its next job."""
    RUNNING = "running"
    """A job was made, and no job has won."""
    PUBLISHING = "publishing"
    """A job has won; the outbox brings its products into the archive."""
    DONE = "done"
    """The products are in the archive."""
    FAILED = "failed"
    """Given up; the reason says why."""
    CANCELLED = "cancelled"
    """Its production was cancelled before a job had won."""


class JobState(StrEnum):
    """State of one attempt."""

    CREATED = "created"
    """Recorded; the engine may or may not have received it."""
    SUBMITTED = "submitted"
    """The engine has accepted it."""
    RUNNING = "running"
    """The job itself has reported its start."""
    LOST = "lost"
    """The engine does not know it any more; a late success may still win."""
    FAILED = "failed"
    """It ended without products."""
    SUCCEEDED = "succeeded"
    """It reported all its outputs, written and read back."""


class ExitReason(StrEnum):
    """How an attempt ended, and hence whose failure it was."""

    FINISHED = "finished"
    """The payload succeeded and its outputs are written."""
    FAILED = "failed"
    """The payload ended with an error or without a promised output."""
    LOST = "lost"
    """The worker or the engine went away."""
    KILLED = "killed"
    """Somebody stopped it."""
    MEMLIMIT = "memlimit"
    """It used more memory than the production allows."""
    MISSING = "missing"
    """The engine says that it ended, and no report came."""
    MAXJOBDURATION = "maxjobduration"
    """It ran longer than the production allows."""
    INPUT = "input"
    """No copy of an input could be fetched whole."""
    OUTPUT = "output"
    """An output could not be written to the storage."""
    ENVIRONMENT = "environment"
    """The worker lacks the environment or a program of ours."""

    @property
    def is_payload_failure(self) -> bool:
        """Whether the payload, not the machinery around it, is to blame."""
        return self in _PAYLOAD_FAILURES


_PAYLOAD_FAILURES = frozenset({ExitReason.FAILED, ExitReason.MEMLIMIT, ExitReason.MAXJOBDURATION})

WorkState = ProductionState | TransformationState | TaskState | JobState

# One table for each enum: members of different enums with the same value are equal strings.
_NEXT: Mapping[type[WorkState], Mapping[WorkState, frozenset[WorkState]]] = {
    ProductionState: {
        ProductionState.ACTIVE: frozenset(
            {
                ProductionState.DONE,
                ProductionState.PARTIAL,
                ProductionState.FAILED,
                ProductionState.CANCELLED,
            }
        ),
    },
    TransformationState: {
        TransformationState.OPEN: frozenset({TransformationState.CLOSED, TransformationState.CANCELLED}),
        TransformationState.CLOSED: frozenset(
            {
                TransformationState.DONE,
                TransformationState.PARTIAL,
                TransformationState.FAILED,
                TransformationState.CANCELLED,
            }
        ),
    },
    TaskState: {
        TaskState.READY: frozenset(
            {TaskState.RUNNING, TaskState.PUBLISHING, TaskState.FAILED, TaskState.CANCELLED}
        ),
        TaskState.RUNNING: frozenset(
            {TaskState.READY, TaskState.PUBLISHING, TaskState.FAILED, TaskState.CANCELLED}
        ),
        TaskState.PUBLISHING: frozenset({TaskState.DONE, TaskState.FAILED}),
    },
    JobState: {
        JobState.CREATED: frozenset(
            {JobState.SUBMITTED, JobState.RUNNING, JobState.LOST, JobState.FAILED, JobState.SUCCEEDED}
        ),
        JobState.SUBMITTED: frozenset({JobState.RUNNING, JobState.LOST, JobState.FAILED, JobState.SUCCEEDED}),
        JobState.RUNNING: frozenset({JobState.LOST, JobState.FAILED, JobState.SUCCEEDED}),
        JobState.LOST: frozenset({JobState.FAILED, JobState.SUCCEEDED}),
    },
}


def following(state: WorkState) -> frozenset[WorkState]:
    """Return the states that may follow a state."""
    return _NEXT[type(state)].get(state, frozenset())


def is_final(state: WorkState) -> bool:
    """Return whether nothing can follow a state."""
    return not following(state)


def check_transition(subject: str, current: WorkState, new: WorkState) -> None:
    """Let a state change pass, or say why it is forbidden.

    Parameters
    ----------
    subject : str
        What changes, e.g. ``"task night.dl1.3"``; part of the message.
    current, new : WorkState
        States of one enum.

    Raises
    ------
    InvalidTransition
        When the transition table does not hold the change.
    """
    if type(new) is type(current) and new in following(current):
        return
    raise InvalidTransition(
        f"{subject} is {current.value} and cannot become {new.value}",
        next_step="look at its history: dpps production status NAME",
        subject=subject,
        state=current.value,
        wanted=new.value,
    )
