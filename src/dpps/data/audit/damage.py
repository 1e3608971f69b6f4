"""What follows from the reading of a copy: repair from a good one, or an alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dpps.data.audit.ports import BadCopies, ExclusiveRight, Findings
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import WRONG_OUTCOMES, AuditEvent, CopyEvidence, CopyOutcome
from dpps.domain.files import ArchivedFile, Replica, ReplicaState

__all__ = ["DamageControl"]


def _keep_silent(_event: AuditEvent) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DamageControl:
    """Has damaged copies replaced, and cries out where no good one is left.

    The last copies of a file are never declared bad: the catalogue would give the file up and delete what
    is left, from which something might still be rescued.
    """

    reader: Reader
    findings: Findings
    bad_copies: BadCopies
    report: Callable[[AuditEvent], None] = _keep_silent
    """Gets every event, after it was remembered."""

    def treat(self, file: ArchivedFile, found: CopyEvidence, before: CopyEvidence | None) -> None:
        """Do what the reading of one copy asks for; repeating does no harm."""
        news = before is None or before.outcome is not found.outcome
        if found.outcome is CopyOutcome.INTACT:
            if before is not None and before.outcome in WRONG_OUTCOMES:
                self._note("repaired", found, "read back intact")
            if self.findings.end_alarm(file.lfn.name, self.reader.clock()):
                self._note("alarm-over", found, "the file has a good copy again")
            return
        if news:
            self._note(found.outcome.value, found, found.problem)
        if found.outcome in (CopyOutcome.DAMAGED, CopyOutcome.LOST):
            # Nobody may free or give up copies of this dataset while one is being judged.
            with self.reader.evidence.exclusive(file.dataset or file.lfn.parent) as right:
                if right is not None:
                    self._repair(file, found, right)

    def _repair(self, file: ArchivedFile, found: CopyEvidence, right: ExclusiveRight) -> None:
        others = [
            one for one in file.replicas if one.rse != found.rse and one.state is ReplicaState.AVAILABLE
        ]
        source = self._first_intact(file, others)
        if source is None:
            reason = f"no copy is good: {found.rse}: {found.problem}"
            if self.findings.raise_alarm(file.lfn.name, reason, self.reader.clock()):
                self._note("alarm", found, reason)
            return
        reason = f"{found.outcome.value}: {found.problem}"
        right.confirm()
        self.bad_copies.declare_bad([found.key], reason[:250])
        self._note("declared-bad", found, f"will be replaced; {source} was read back intact just now")

    def _first_intact(self, file: ArchivedFile, replicas: list[Replica]) -> str | None:
        known = self.reader.evidence.known([file.lfn])
        for replica in replicas:
            if self.reader.read(file, replica, known).outcome is CopyOutcome.INTACT:
                return replica.rse
        return None

    def _note(self, kind: str, found: CopyEvidence, text: str) -> None:
        event = AuditEvent(at=self.reader.clock(), kind=kind, name=found.lfn.name, rse=found.rse, text=text)
        self.findings.note(event)
        self.report(event)
