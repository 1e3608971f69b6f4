"""What must be looked at to explain a file, and who can tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dpps.data.audit.records import Alarm, CopyEvidence
from dpps.data.ports import ReplicationRule
from dpps.data.preservation.releasing import GateDecision
from dpps.data.sites import Hold, SiteCondition
from dpps.data.transfers.service import MovedFile, RetryLog, StorageRest
from dpps.domain.files import ArchivedFile, Replica, ReplicaState
from dpps.domain.names import Lfn

__all__ = [
    "CopyStates",
    "DatasetObservation",
    "Deletion",
    "FileObservation",
    "HandoverLedger",
    "LinkFacts",
    "MissingCopy",
    "Refusal",
    "RequestLedger",
    "RequestState",
    "Silence",
    "SiteFacts",
    "TransferRequest",
]


class RequestState(StrEnum):
    """State of a transfer request of the catalogue."""

    WAITING = "waiting"
    """Asked for, not given to the transfer service yet."""
    SUBMITTED = "submitted"
    """The transfer service has it."""
    NO_SOURCES = "no-sources"
    MISMATCH_SCHEME = "mismatch-scheme"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """A request of the catalogue to copy one file to one storage: the present one, else the last."""

    state: RequestState
    rule_id: str
    source: str | None
    attempts: int
    job_id: str | None
    """Of the transfer service."""
    error: str
    changed_at: datetime | None
    past: bool = False
    """Whether it is over and archived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """From a storage that has the file to one that lacks it."""

    source: str
    distance: int | None
    """None: the catalogue requests nothing on this link."""
    hold: Hold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """A site, what is held back there and how it fares."""

    condition: SiteCondition
    holds: tuple[Hold, ...] = ()
    rest: StorageRest | None = None
    ban: str | None = None
    """Message of a ban at the transfer service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A service that did not answer: what it alone knows is not known."""

    service: str
    """As in ``dpps status``."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingCopy:
    """A copy that a rule wants at a storage and that is not there."""

    rse: str
    state: ReplicaState
    request: TransferRequest | None = None
    moved: MovedFile | None = None
    """What the transfer service says of the request's job; None also when it was not asked or is silent."""
    failures: tuple[RetryLog, ...] = ()
    links: tuple[LinkFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A copy on site that was freed, or whose deletion has begun, and what would be decided of it now."""

    rse: str
    begun: bool
    """Whether the catalogue has marked it."""
    decision: GateDecision | None
    """None: who decides cannot be asked."""
    problem: str = ""
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A handed-over file that was not taken."""

    path: str
    handed: str
    """Its path below the hand-over folder."""
    code: str
    message: str
    next_step: str
    retryable: bool
    lfn: str = ""
    """Name that it would have got, where that is told."""

    def is_for(self, lfn: Lfn) -> bool:
        """Tell whether the file would have got this name: raw files get their path below the folder."""
        return str(lfn) in (self.lfn, f"/{self.handed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObservation:
    """Everything that bears on one file."""

    lfn: Lfn
    file: ArchivedFile | None
    similar: tuple[str, ...] = ()
    """Names that are near, when there is no such file."""
    refusal: Refusal | None = None
    """Of what was handed over for this name, or, for unknown files, under its last part."""
    handover: str = ""
    """The hand-over folder that was asked for."""
    kind: str = ""
    copies_wanted: int = 0
    frees_onsite: bool = False
    rules: tuple[ReplicationRule, ...] = ()
    wrong: tuple[CopyEvidence, ...] = ()
    """Last readings of copies that the catalogue calls complete and that were wrong then."""
    alarm: Alarm | None = None
    missing: tuple[MissingCopy, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    sites: Mapping[str, SiteFacts] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()

    @property
    def transfers_silent(self) -> bool:
        """Whether nothing is known of transfers, rests and bans."""
        return any(one.service == "transfers" for one in self.silences)

    @property
    def good(self) -> tuple[Replica, ...]:
        """Copies that the catalogue calls complete and the audit did not find wrong."""
        wrong = {one.rse for one in self.wrong}
        replicas = self.file.replicas if self.file is not None else ()
        return tuple(one for one in replicas if one.state is ReplicaState.AVAILABLE and one.rse not in wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetObservation:
    """A dataset, and those of its files that were looked at."""

    name: str
    files: int
    looked_at: int
    """How many files were looked at: the first of them only, in a large dataset."""
    incomplete: int
    """How many of these lack a copy."""
    rules: tuple[ReplicationRule, ...]
    examples: tuple[FileObservation, ...]
    """Some of the incomplete ones."""
    wrong: tuple[CopyEvidence, ...] = ()
    """Last readings of their copies that the catalogue calls complete and that were wrong then."""
    alarms: tuple[Alarm, ...] = ()
    """For files of the dataset, also for those that were not looked at."""
    deleting: int = 0
    """Of how many of these a copy on site is being deleted."""
    deletions: tuple[Deletion, ...] = ()
    """Of some of these."""
    silences: tuple[Silence, ...] = ()


class CopyStates(Protocol):
    """How complete many files are, without everything else that is known of them."""

    def copy_states(self, lfns: Sequence[Lfn]) -> Mapping[Lfn, Mapping[str, ReplicaState]]:
        """Return, by file and RSE, the state of each copy; unknown files are left out."""
        ...


class RequestLedger(Protocol):
    """Transfer requests of the catalogue."""

    def request(self, lfn: Lfn, rse: str) -> TransferRequest | None:
        """Return the request to copy a file to a storage, else the last that was over; None: never any."""
        ...


class HandoverLedger(Protocol):
    """What the ingest service refused."""

    @property
    def folder(self) -> str:
        """The hand-over folder that the service watches; it tells of no other one."""
        ...

    def refusals(self) -> Sequence[Refusal]:
        """Return every handed-over file that was not taken.

        Raises
        ------
        Unavailable
            When the service does not answer.
        """
        ...
