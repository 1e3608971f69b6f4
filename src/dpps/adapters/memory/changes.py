"""What has changed in a catalogue in memory, and telling it about damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.data.audit.records import CopyKey
from dpps.domain.errors import Unavailable
from dpps.domain.files import ReplicaState

__all__ = ["MemoryBadCopies", "MemoryChanges"]


class MemoryChanges:
    """Implements ``CatalogueChanges``.

    Attributes
    ----------
    changed_at : dict of str to datetime
        When the rules of each dataset changed last, as tests say.
    """

    def __init__(self) -> None:
        self.changed_at: dict[str, datetime] = {}

    def datasets_changed_since(self, at: datetime) -> Iterator[str]:
        """Yield datasets whose rules changed."""
        yield from [name for name, changed_at in self.changed_at.items() if changed_at >= at]


class MemoryBadCopies:
    """Implements ``BadCopies``.

    Parameters
    ----------
    catalogue : MemoryCatalogue
        Where the copies are.

    Attributes
    ----------
    declared : list of CopyKey
        What was declared bad, in order.
    """

    def __init__(self, catalogue: MemoryCatalogue) -> None:
        self._catalogue = catalogue
        self.declared: list[CopyKey] = []

    def declare_bad(self, copies: Sequence[CopyKey], reason: str) -> None:
        """Have copies replaced from good ones."""
        unknown: list[CopyKey] = []
        for key, file in zip(copies, self._catalogue.files([one.lfn for one in copies]), strict=True):
            if file is None or all(one.rse != key.rse for one in file.replicas):
                unknown.append(key)
                continue
            self.declared.append(key)
            self._catalogue.set_replica(key.lfn, key.rse, ReplicaState.BAD)
        if unknown:
            raise Unavailable(
                f"the catalogue did not take the copy of {unknown[0].lfn} as bad: {reason}",
                code="catalogue-refused-bad",
                next_step="look at the file's copies: dpps data info",
            )
