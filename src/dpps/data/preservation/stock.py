"""Taking stock of a dataset: which copies there are, and which of them are to be judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyEvidence, CopyKey
from dpps.data.policy import PreservationPolicy, ProductKind
from dpps.data.preservation.releasing import Release
from dpps.domain.files import ArchivedFile, ReplicaState
from dpps.domain.names import Lfn

__all__ = ["Stock", "overdue", "take_stock"]

_BATCH_FILES: Final = 500
_JUDGED_ANEW: Final = timedelta(minutes=2)
"""After which a freed copy that is still there is judged, and freed, anew: someone may want it, or a look
that was cut may have held it again without noting so."""
_DELETION_MAX: Final = timedelta(hours=1)
"""After which a freed copy should have been deleted."""


@dataclass(slots=True, kw_only=True)
class Stock:
    """What there is of a dataset."""

    kinds: dict[str, ProductKind] = field(default_factory=dict)
    """Of the files, by name."""
    copies: set[CopyKey] = field(default_factory=set)
    """Complete copies."""
    leaving: list[CopyKey] = field(default_factory=list)
    """On-site copies that may be marked for deletion."""
    there: set[CopyKey] = field(default_factory=set)
    """Copies in any state."""
    without_copy: list[Lfn] = field(default_factory=list)
    """Files that shall be kept and that have no complete copy."""
    has_surplus: bool = False
    """Whether some file has more copies off site than the policy demands."""
    onsite: list[Lfn] = field(default_factory=list)
    """Files with an on-site copy to judge: nobody was told to delete it, or long ago."""
    released: set[CopyKey] = field(default_factory=set)
    """On-site copies that their storages were told to delete, and that are there still."""
    pending: set[CopyKey] = field(default_factory=set)
    """Of these, the ones whose deletion is not overdue, and those that were taken back in this look."""


def take_stock(
    files: Iterable[ArchivedFile],
    policy: PreservationPolicy,
    reader: Reader,
    *,
    temporary: bool,
    is_over: Callable[[ProductKind], bool],
) -> Stock:
    """Return what there is of a dataset; nothing is changed.

    Parameters
    ----------
    files : iterable of ArchivedFile
        Its files.
    policy : PreservationPolicy
        Tells the kinds of the files.
    reader : Reader
        Knows which copies were released.
    temporary : bool
        Whether they are temporary files, which may go.
    is_over : callable
        Tells whether the lifetime of a kind's products is over, so that they may be gone.
    """
    stock, onsite = Stock(), list[CopyKey]()
    for file in files:
        kind = policy.kind_of(file.metadata)
        stock.kinds.setdefault(kind.name, kind)
        elsewhere = [one for one in file.replicas if not one.onsite]
        stock.has_surplus = stock.has_surplus or len(elsewhere) > kind.copies
        stock.there |= {CopyKey(file.lfn, one.rse) for one in file.replicas}
        complete = [one for one in file.replicas if one.state is ReplicaState.AVAILABLE]
        stock.copies |= {CopyKey(file.lfn, one.rse) for one in complete}
        onsite += [CopyKey(file.lfn, one.rse) for one in complete if one.onsite]
        stock.leaving += [
            CopyKey(file.lfn, one.rse)
            for one in file.replicas
            if one.onsite and one.state is ReplicaState.UNAVAILABLE
        ]
        if not (complete or temporary or is_over(kind)):
            stock.without_copy.append(file.lfn)
    _sort(stock, onsite, reader)
    return stock


def _sort(stock: Stock, onsite: Iterable[CopyKey], reader: Reader) -> None:
    """Tell the on-site copies that were released from those to be judged."""
    now = reader.clock()
    for chunk in batched(onsite, _BATCH_FILES):
        known = reader.evidence.known([key.lfn for key in chunk])
        stock.released |= {key for key in chunk if key in known and known[key].released_at is not None}
        stock.pending |= {key for key in chunk if _is_pending(known.get(key), now)}
        stock.onsite += dict.fromkeys(key.lfn for key in chunk if key not in stock.pending)


def overdue(releases: Iterable[Release], now: datetime) -> list[Release]:
    """Return the releases of copies that should be deleted by now."""
    return [one for one in releases if not timedelta(0) <= now - one.released_at < _DELETION_MAX]


def _is_pending(known: CopyEvidence | None, now: datetime) -> bool:
    """Tell whether the storage was told not long ago to delete a copy."""
    if known is None or known.released_at is None:
        return False
    return timedelta(0) <= now - known.released_at < _JUDGED_ANEW
