"""States of transfers, named as FTS3 names them, and the transitions between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from dpps.domain.errors import InvalidTransition

__all__ = ["FINAL_STATES", "TRANSITIONS", "FileState", "JobState", "JobType", "check_transition", "job_state"]


class FileState(StrEnum):
    """State of the transfer of one file."""

    SUBMITTED = "SUBMITTED"
    """Waits for a worker: due at once, or after a back-off."""
    ACTIVE = "ACTIVE"
    """A worker holds it. The worker may have died: recovery sends it back to SUBMITTED."""
    FINISHED = "FINISHED"
    """The destination holds the bytes under its final name, read back and compared."""
    FAILED = "FAILED"
    """Given up; the reason says why. The destination holds nothing of this transfer."""
    CANCELED = "CANCELED"
    """Stopped on request; the destination holds nothing of this transfer."""
    NOT_USED = "NOT_USED"
    """A later hop of a multi-hop job whose turn has not come, or never came."""


class JobState(StrEnum):
    """State of a job, derived from its files."""

    SUBMITTED = "SUBMITTED"
    ACTIVE = "ACTIVE"
    """Some file is being moved, or some are final and others not."""
    FINISHED = "FINISHED"
    FINISHEDDIRTY = "FINISHEDDIRTY"
    """All files are final; some are FINISHED, some are not."""
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class JobType(StrEnum):
    """Kind of a job; the values are FTS3's letters."""

    REGULAR = "N"
    MULTIPLE_REPLICA = "R"
    """The files have alternative sources."""
    MULTI_HOP = "H"
    """The files are the hops of one path, moved in order."""


FINAL_STATES: Final = frozenset({FileState.FINISHED, FileState.FAILED, FileState.CANCELED})

TRANSITIONS: Final[Mapping[FileState, frozenset[FileState]]] = {
    FileState.NOT_USED: frozenset({FileState.SUBMITTED}),
    FileState.SUBMITTED: frozenset({FileState.ACTIVE, FileState.CANCELED}),
    FileState.ACTIVE: frozenset(
        {FileState.SUBMITTED, FileState.FINISHED, FileState.FAILED, FileState.CANCELED}
    ),
    FileState.FINISHED: frozenset(),
    FileState.FAILED: frozenset(),
    FileState.CANCELED: frozenset(),
}


def check_transition(old: FileState, new: FileState) -> None:
    """Do nothing when the transition is allowed.

    Raises
    ------
    InvalidTransition
        When the table forbids it.
    """
    if new not in TRANSITIONS[old]:
        raise InvalidTransition(
            f"a transfer that is {old} cannot become {new}",
            code="transfer-transition",
            next_step="this is a bug of the transfer service: report it with its log",
            old=old,
            new=new,
        )


def job_state(files: Sequence[FileState], job_type: JobType) -> JobState:
    """Return the state of a job from the states of its files, in the order of the request."""
    states = set(files)
    if job_type is JobType.MULTI_HOP:
        states = _path_states(states)
    if states == {FileState.SUBMITTED}:
        return JobState.SUBMITTED
    if not states <= FINAL_STATES:
        return JobState.ACTIVE
    if len(states) == 1:
        return JobState(states.pop().value)
    return JobState.FINISHEDDIRTY if FileState.FINISHED in states else JobState.FAILED


def _path_states(states: set[FileState]) -> set[FileState]:
    """Return what the states of the hops mean for the path: one broken hop breaks it."""
    for broken in (FileState.CANCELED, FileState.FAILED):
        if broken in states and states <= FINAL_STATES | {FileState.NOT_USED}:
            return {broken}
    return states - {FileState.NOT_USED}
