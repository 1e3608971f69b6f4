"""What happens after a failed attempt: a pure function of the failure and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dpps.data.transfers.failures import End, Failure, FailureClass
from dpps.data.transfers.records import Claim, Settlement
from dpps.data.transfers.states import FileState

__all__ = ["POLICIES", "Failure", "FailureClass", "RetryPolicy", "another_source_helps", "decide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon one class of failure is tried again."""

    attempts_max: int
    first_delay_seconds: float = 0.0
    """Doubled with every further attempt."""
    longest_delay_seconds: float = 300.0


POLICIES: Final[Mapping[FailureClass, RetryPolicy]] = {
    # Rucio tries again on its own, from other sources and with hours of patience. Here only what is
    # likely to pass within minutes is worth an attempt.
    FailureClass.SOURCE_MISSING: RetryPolicy(attempts_max=1),
    FailureClass.SOURCE_CHECKSUM: RetryPolicy(attempts_max=1),
    FailureClass.SOURCE_READ: RetryPolicy(attempts_max=4, first_delay_seconds=2),
    FailureClass.DESTINATION_CHECKSUM: RetryPolicy(attempts_max=3, first_delay_seconds=1),
    FailureClass.DESTINATION_EXISTS: RetryPolicy(attempts_max=1),
    FailureClass.DESTINATION_FULL: RetryPolicy(attempts_max=4, first_delay_seconds=10),
    FailureClass.DESTINATION_WRITE: RetryPolicy(attempts_max=4, first_delay_seconds=2),
    # What a whole storage suffers from is the breaker's affair: it rests, and its files wait untried.
    FailureClass.NETWORK: RetryPolicy(attempts_max=6, first_delay_seconds=5),
    FailureClass.PERMISSION: RetryPolicy(attempts_max=2, first_delay_seconds=60),
    FailureClass.UNSUPPORTED: RetryPolicy(attempts_max=1),
    FailureClass.UNEXPECTED: RetryPolicy(attempts_max=2, first_delay_seconds=5),
}

_SOURCE_FAILURES: Final = frozenset(
    {FailureClass.SOURCE_MISSING, FailureClass.SOURCE_CHECKSUM, FailureClass.SOURCE_READ}
)
_FAILURES_OF_EITHER_END: Final = frozenset({FailureClass.NETWORK, FailureClass.PERMISSION})


def another_source_helps(failure: Failure) -> bool:
    """Tell whether the same file may be had from elsewhere."""
    if failure.kind in _FAILURES_OF_EITHER_END:
        return failure.end is End.SOURCE
    return failure.kind in _SOURCE_FAILURES


def decide(failure: Failure, claim: Claim, now: datetime) -> Settlement:
    """Return what becomes of a file whose attempt failed.

    Parameters
    ----------
    failure : Failure
        What happened.
    claim : Claim
        The attempt; its ``attempts`` does not count this one yet.
    now : datetime
        Time of the failure.

    Returns
    -------
    Settlement
        FAILED, or SUBMITTED with the time and the source of the next attempt: another source at once
        when there is one left that was not tried, else the same after a back-off.
    """
    if another_source_helps(failure) and claim.source_position + 1 < len(claim.request.sources):
        return Settlement(
            state=FileState.SUBMITTED,
            reason=failure.reason,
            due_at=now,
            source_position=claim.source_position + 1,
            failure=failure,
        )
    policy = POLICIES[failure.kind]
    # With several sources each had its attempt before; they do not use up the patience with the last.
    attempts = claim.attempts + 1 - claim.source_position
    if failure.permanent or attempts >= policy.attempts_max:
        return Settlement(state=FileState.FAILED, reason=failure.reason, found=failure.found, failure=failure)
    delay_seconds = min(policy.first_delay_seconds * 2 ** (attempts - 1), policy.longest_delay_seconds)
    return Settlement(
        state=FileState.SUBMITTED,
        reason=failure.reason,
        due_at=now + timedelta(seconds=delay_seconds),
        failure=failure,
    )
