"""What happens after a failed attempt: a pure function of the failure and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from dpps.data.transfers.records import Claim, Settlement
from dpps.data.transfers.states import FileState
from dpps.domain.files import FileContent

__all__ = ["POLICIES", "Failure", "FailureClass", "RetryPolicy", "decide"]


class FailureClass(StrEnum):
    """Why an attempt failed."""

    SOURCE_MISSING = "source-missing"
    SOURCE_CHECKSUM = "source-checksum"
    """The bytes read at the source are not those asked for."""
    SOURCE_READ = "source-read"
    """The storage of the source failed or denied access."""
    DESTINATION_CHECKSUM = "destination-checksum"
    """The bytes read back differ from those written."""
    DESTINATION_EXISTS = "destination-exists"
    """Other content has the name, and must not be overwritten."""
    DESTINATION_FULL = "destination-full"
    DESTINATION_WRITE = "destination-write"
    """The storage of the destination failed or denied access."""
    UNSUPPORTED = "unsupported"
    """A scheme, checksum algorithm or URL that this service refuses."""
    UNEXPECTED = "unexpected"
    """A bug of this service; the log has the traceback."""


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
    FailureClass.UNSUPPORTED: RetryPolicy(attempts_max=1),
    FailureClass.UNEXPECTED: RetryPolicy(attempts_max=2, first_delay_seconds=5),
}

_ANOTHER_SOURCE_HELPS: Final = frozenset(
    {FailureClass.SOURCE_MISSING, FailureClass.SOURCE_CHECKSUM, FailureClass.SOURCE_READ}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt."""

    kind: FailureClass
    reason: str
    permanent: bool = False
    """True when the error itself says that trying again cannot help."""
    found: FileContent | None = None
    """What stands at the destination, when that is the failure."""


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
    if failure.kind in _ANOTHER_SOURCE_HELPS and claim.source_position + 1 < len(claim.request.sources):
        return Settlement(
            state=FileState.SUBMITTED,
            reason=failure.reason,
            due_at=now,
            source_position=claim.source_position + 1,
        )
    policy = POLICIES[failure.kind]
    # With several sources each had its attempt before; they do not use up the patience with the last.
    attempts = claim.attempts + 1 - claim.source_position
    if failure.permanent or attempts >= policy.attempts_max:
        return Settlement(state=FileState.FAILED, reason=failure.reason, found=failure.found)
    delay_seconds = min(policy.first_delay_seconds * 2 ** (attempts - 1), policy.longest_delay_seconds)
    return Settlement(
        state=FileState.SUBMITTED, reason=failure.reason, due_at=now + timedelta(seconds=delay_seconds)
    )
