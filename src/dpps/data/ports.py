"""What bulk data management needs from the outside world.

Every method that takes many things answers for every one of them, in the order given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dpps.domain.errors import DppsError
from dpps.domain.files import ArchivedFile, FileContent, MetadataValue
from dpps.domain.names import Lfn

if TYPE_CHECKING:
    from dpps.data.query.expressions import Query
    from dpps.data.query.places import Place

__all__ = [
    "Catalogue",
    "FileInspector",
    "Inspection",
    "Registration",
    "RegistrationOutcome",
    "ReplicationRule",
    "RuleState",
    "Storage",
    "StorageElement",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A file that lies complete and verified at ``rse`` and shall enter the catalogue there."""

    lfn: Lfn
    rse: str
    content: FileContent
    metadata: Mapping[str, MetadataValue]
    """Flat product metadata: ``ctao_datamodel`` keys joined by ``__``, ours under ``dpps__``."""
    dataset: str
    """Dataset that the file will be attached to; made, with its containers, when absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOutcome:
    """What became of one registration."""

    lfn: Lfn
    created: bool
    """False when the same content was registered before (repeating is no error)."""
    error: DppsError | None = None
    """`Conflict` when the name holds other content; the other files of the call are not affected."""


class RuleState(StrEnum):
    """State of a replication rule."""

    OK = "ok"
    """Every file of the dataset has its copies."""
    REPLICATING = "replicating"
    STUCK = "stuck"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationRule:
    """N copies of a dataset's files on the RSEs that match an expression."""

    dataset: str
    copies: int
    expression: str
    source_expression: str | None = None
    """RSE expression of the storages to copy from; None for any."""
    priority: int = 3
    """Of its transfers: 1 is the lowest, 5 the highest."""
    lifetime_seconds: int | None = None
    kind: str | None = None
    """Kind of product of the preservation policy that asks for this rule; None for a rule of people."""
    policy_digest: str | None = None
    """Which text of the policy made it."""
    rule_id: str = ""
    """Empty before the catalogue knows the rule."""
    state: RuleState | None = None
    error: str | None = None
    expires_at: datetime | None = None
    """When the catalogue forgets the rule, and lets go of the copies that no other one wants.

    A rule to be ensured that says it puts the end of a known one off; none ever comes earlier.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageElement:
    """A storage as the catalogue describes it."""

    rse: str
    onsite: bool
    url_prefix: str
    """``scheme://host/prefix``; the physical URL of a file is this followed by its LFN."""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Catalogue(Protocol):
    """The truth about files, replicas, rules and product metadata."""

    def storage_elements(self) -> list[StorageElement]:
        """Return every storage, sorted by name."""
        ...

    def register(self, registrations: Sequence[Registration]) -> list[RegistrationOutcome]:
        """Enter files with replica, metadata and dataset, in bulk; idempotent by LFN and content.

        A registered file is invisible to `find` until it is attached.
        """
        ...

    def attach(self, dataset: str, lfns: Sequence[Lfn]) -> None:
        """Make registered files visible as members of a dataset; idempotent."""
        ...

    def files(self, lfns: Sequence[Lfn]) -> list[ArchivedFile | None]:
        """Return what is known of each file, with replicas and metadata, or None for an unknown one."""
        ...

    def find(
        self,
        query: Query,
        *,
        place: Place | None = None,
        after: Lfn | None = None,
        limit: int | None = None,
    ) -> list[Lfn]:
        """Return visible files that meet a query, in order of scope and name.

        Parameters
        ----------
        query : Query
            What their metadata must say.
        place : Place, optional
            Path below which, or pattern by which to look; everywhere by default.
        after : Lfn, optional
            Only files after this one: the last of the page before.
        limit : int, optional
            At most so many; neither memory nor time then grow with the number of all that meet the query.
        """
        ...

    def datasets(self, under: str = "/") -> list[str]:
        """Return the names of datasets below a path."""
        ...

    def members(self, dataset: str) -> list[Lfn]:
        """Return the files of a dataset, by name.

        Raises
        ------
        NotFound
            When there is no such dataset.
        """
        ...

    def ensure_rule(self, rule: ReplicationRule) -> str:
        """Make the rule unless an equal one of ours (dataset, copies, expression) exists; return its id.

        A rule with a ``kind`` carries the policy's mark, by which `rules` tells it from rules of people.
        """
        ...

    def rules(self, dataset: str) -> list[ReplicationRule]:
        """Return the rules of a dataset with their states; not those that expire at this moment."""
        ...

    def remove_rule(self, rule_id: str) -> None:
        """Let a rule end now: the copies that no other rule wants may be deleted. Unknown is no error.

        The caller has proof of the copies that remain.
        """
        ...

    def retry_rule(self, rule_id: str) -> None:
        """Have the copies at which a rule is stuck tried again soon. Unknown is no error."""
        ...

    def kept_copies(self, rule_ids: Sequence[str]) -> Mapping[Lfn, frozenset[str]]:
        """Return, by file, the RSEs whose complete copies these rules keep there."""
        ...

    def release(self, rse: str, lfns: Sequence[Lfn]) -> None:
        """Allow the deletion of these files' copies at one RSE.

        The caller has proof of the other copies; a copy that a rule still wants is not released.
        """
        ...


class Storage(Protocol):
    """The bytes behind physical URLs of one scheme."""

    def size_bytes(self, url: str) -> int | None:
        """Return the size, or None when nothing is there."""
        ...

    def read_back(self, url: str) -> FileContent:
        """Read the whole file and return its size and checksum.

        Raises
        ------
        NotFound
            When nothing is there.
        """
        ...

    def download(self, url: str, path: Path) -> FileContent:
        """Copy to a local path (temporary name, then rename); return what was read."""
        ...

    def upload(self, path: Path, url: str) -> FileContent:
        """Copy from a local path (temporary name, then rename); return what was read back."""
        ...

    def rename(self, source_url: str, destination_url: str) -> None:
        """Move within one storage; when only the destination exists this was done before, and is no error."""
        ...

    def delete(self, url: str) -> None:
        """Remove; absent is no error."""
        ...

    def list_files(self, url: str) -> Iterator[str]:
        """Yield the URLs of all complete files below a URL."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one complete reading of a file showed."""

    content: FileContent
    metadata: Mapping[str, MetadataValue]
    """Flat product metadata found inside the file."""


class FileInspector(Protocol):
    """Reads one kind of file to its end, checks it and extracts its metadata."""

    def accepts(self, path: Path) -> bool:
        """Tell by the name whether this inspector is responsible."""
        ...

    def inspect(self, path: Path) -> Inspection:
        """Read everything once.

        Raises
        ------
        DamagedFile
            Truncated, wrong checksum, empty, not of this kind, or lacking required metadata.
        """
        ...
