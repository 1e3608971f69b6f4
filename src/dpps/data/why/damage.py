"""What was found wrong with copies, by the catalogue or by the audit: pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dpps.data.audit.records import Alarm, CopyEvidence, CopyOutcome
from dpps.data.why.findings import Finding, Weight
from dpps.data.why.observations import DatasetObservation, FileObservation
from dpps.domain.files import ReplicaState

__all__ = ["explain_alarm", "explain_damage", "explain_dataset_damage"]

_ALARMS: Final = "dpps data audit alarms"
_NAMED_MAX: Final = 3


def explain_alarm(seen: FileObservation) -> Iterator[Finding]:
    """Yield the alarm that stands for a file."""
    if seen.alarm is not None:
        yield _alarm(seen.alarm, "the file")


def explain_damage(seen: FileObservation) -> Iterator[Finding]:
    """Yield the copies that are not the file, and what becomes of them."""
    replicas = seen.file.replicas if seen.file is not None else ()
    for one in replicas:
        if one.state is ReplicaState.BAD:
            yield Finding(
                code="copy-damaged" if seen.good else "copy-damaged-last",
                weight=Weight.WAITS if seen.good else Weight.BLOCKS,
                fact=f"the copy at {one.rse} is damaged",
                cause="its bytes are not those that were registered",
                next="it is replaced by a good copy" if seen.good else f"no good copy is left: {_ALARMS}",
                when="within a minute" if seen.good else "",
            )
    for reading in seen.wrong:
        yield _wrong(reading, good=bool(seen.good))


def explain_dataset_damage(seen: DatasetObservation, part: str) -> Iterator[Finding]:
    """Yield the alarms for files of a dataset, and how many files have copies that were found wrong.

    Parameters
    ----------
    seen : DatasetObservation
        The dataset.
    part : str
        Words for how many of its files were looked at, where it was not all.
    """
    for alarm in seen.alarms[:_NAMED_MAX]:
        yield _alarm(alarm, alarm.lfn)
    if len(seen.alarms) > _NAMED_MAX:
        yield Finding(
            code="alarms",
            weight=Weight.BLOCKS,
            fact=f"{len(seen.alarms)} alarms stand for its files",
            next=f"see all: {_ALARMS}",
        )
    files = list(dict.fromkeys(one.lfn for one in seen.wrong))
    if files:
        yield Finding(
            code="copies-wrong",
            weight=Weight.WAITS,
            fact=f"of {len(files)} files{part} a copy was wrong when it was last read back",
            next=f"ask for one of them: dpps data why {files[0]}",
        )


def _alarm(alarm: Alarm, name: str) -> Finding:
    who = (
        f"; {alarm.acknowledged_by} answers for it: {alarm.acknowledgement}" if alarm.acknowledged_by else ""
    )
    return Finding(
        code="alarm",
        weight=Weight.BLOCKS,
        fact=f"alarm {alarm.number}, since {alarm.raised_at:%Y-%m-%d %H:%M} UTC: "
        f"no good copy was found of {name}{who}",
        cause=alarm.reason,
        next=f"restore the file from its producer: {_ALARMS}",
    )


def _wrong(reading: CopyEvidence, *, good: bool) -> Finding:
    at = f", at {reading.verified_at:%Y-%m-%d %H:%M} UTC" if reading.verified_at is not None else ""
    fact = f"the copy at {reading.rse} was {reading.outcome.value} when it was last read back{at}"
    if reading.outcome is CopyOutcome.UNREADABLE:
        return Finding(
            code="copy-unreadable",
            weight=Weight.WAITS,
            fact=fact,
            cause=reading.problem,
            next=f"the audit reads it again; look at the storage: dpps site why {reading.rse}",
        )
    return Finding(
        code="copy-damaged" if good else "copy-damaged-last",
        weight=Weight.WAITS if good else Weight.BLOCKS,
        fact=fact,
        cause=reading.problem,
        next="the audit reads it and another copy again, then has it replaced"
        if good
        else f"no copy is known to be good: {_ALARMS}",
        when="within minutes: dpps data audit events" if good else "",
    )
