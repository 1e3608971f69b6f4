"""Reading every copy again and again: the oldest first, not faster than allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from dpps.data.audit.damage import DamageControl
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import WRONG_OUTCOMES, CopyEvidence, CopyKey
from dpps.data.ports import Catalogue
from dpps.domain.files import ReplicaState
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["AuditSettings", "audit_pass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How often and how fast copies are read back."""

    period: timedelta = timedelta(days=90)
    """Every copy is read at least so often."""
    bytes_per_second: float = 50e6
    """Mean rate of one pass, which reads the storages one after the other."""
    retry: timedelta = timedelta(minutes=1)
    """After which a copy that was not intact is looked at again."""
    copies_per_round: int = 50
    """Of one storage in one pass."""


def audit_pass(
    principal: Principal,
    catalogue: Catalogue,
    control: DamageControl,
    settings: AuditSettings,
    *,
    rses: Sequence[str],
    pause: Callable[[float], None],
) -> Iterator[CopyEvidence]:
    """Read the copies that are due at some storages, have damage treated, and yield each result.

    Copies that were not intact when last read come first, then those never read, then the oldest.

    Parameters
    ----------
    principal : Principal
        Who asks.
    catalogue : Catalogue
        What the copies must contain.
    control : DamageControl
        Reads, remembers and treats.
    settings : AuditSettings
        How often and how fast.
    rses : sequence of str
        Storages, one after the other.
    pause : callable
        Waits for some seconds, to keep the rate; it may raise to end the pass.

    Raises
    ------
    NotAuthorized
        When the principal may not audit.
    Unavailable
        When catalogue or database do not answer.
    """
    authorize(principal, Action.AUDIT, "/")
    reader = control.reader
    for rse in rses:
        now = reader.clock()
        again = reader.evidence.wrong(rse, now - settings.retry, settings.copies_per_round)
        oldest = reader.evidence.oldest(rse, now - settings.period, settings.copies_per_round)
        keys = list(dict.fromkeys([*again, *oldest]))
        files = catalogue.files([key.lfn for key in keys])
        known = reader.evidence.known([key.lfn for key in keys])
        for key, file in zip(keys, files, strict=True):
            here = [one for one in file.replicas if one.rse == rse] if file is not None else []
            if file is None or not here or here[0].state is not ReplicaState.AVAILABLE:
                _pass_over(reader, key, known.get(key), there=bool(here))
                continue
            found = reader.read(file, here[0], known)
            control.treat(file, found, known.get(key))
            yield found
            pause((found.content.size_bytes if found.content else 0) / settings.bytes_per_second)


def _pass_over(reader: Reader, key: CopyKey, known: CopyEvidence | None, *, there: bool) -> None:
    """Leave a copy that cannot be read now: being replaced, or gone."""
    if there and known is not None and known.outcome in WRONG_OUTCOMES:
        reader.evidence.record([replace(known, verified_at=reader.clock())])
    else:
        reader.evidence.forget([key])
