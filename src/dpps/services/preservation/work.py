"""The kinds of work of the preservation service; each call is one short round."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from dpps.composition.preservation import ArchiveConnection, PreservationParts
from dpps.data.audit.comparing import remove_forgotten, survey_storage
from dpps.data.audit.records import AuditEvent, DatasetState
from dpps.data.audit.verifying import audit_pass
from dpps.data.policy import PreservationPolicy
from dpps.data.ports import Catalogue, StorageElement
from dpps.data.preservation import DatasetLook, Keeping, OnsiteCopy, PreservationOutcome, keep_dataset
from dpps.domain.errors import DppsError, NotFound
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, authorize
from dpps.services.preservation.metrics import PreservationMetrics

__all__ = ["AuditWork", "KeepingWork", "SurveyWork", "log_event"]

_DATASETS_PER_ROUND = 50
_OVERLAP = timedelta(seconds=5)
"""Changes are asked for again for so long: Rucio's times have whole seconds and its own clock."""
_LISTING_EVERY = timedelta(hours=1)
_LOOK_SHORTEST, _LOOK_LONGEST = timedelta(seconds=2), timedelta(seconds=60)
_log = structlog.get_logger(__name__)


def log_event(event: AuditEvent) -> None:
    """Tell the log what the audit found or did."""
    loud = event.kind not in ("repaired", "alarm-over")
    tell = _log.error if event.kind == "alarm" else _log.warning if loud else _log.info
    tell(event.kind, lfn=event.name, rse=event.rse, text=event.text)


class KeepingWork:
    """Looks at new, changed and unsettled datasets, and slowly at all.

    Parameters
    ----------
    parts : PreservationParts
        What to work with.
    metrics : PreservationMetrics
        What to count in.
    """

    def __init__(self, parts: PreservationParts, metrics: PreservationMetrics) -> None:
        self._parts = parts
        self._metrics = metrics

    def __call__(self, archive: ArchiveConnection) -> bool:
        """Make one round."""
        parts = self._parts
        authorize(parts.principal, Action.PRESERVE, "/")
        policy, now = parts.policy.read(), parts.reader.clock()
        self._notice_datasets(archive, policy, now)
        due = parts.states.due(policy.digest, now, _DATASETS_PER_ROUND)
        if due:
            elements = archive.catalogue.storage_elements()
            work = Keeping(
                catalogue=archive.catalogue,
                reader=parts.reader,
                releases=parts.releases,
                keeper=archive.keeper,
                policy=policy,
                elements=elements,
            )
            for state in due:
                self._look(work, state)
        self._metrics.note_datasets(*parts.states.counts())
        return bool(due)

    def _notice_datasets(self, archive: ArchiveConnection, policy: PreservationPolicy, now: datetime) -> None:
        states = self._parts.states
        changed_at, listed_at = states.cursor("changes"), states.cursor("listing")
        # A time from before the clock was set back: begin anew.
        if listed_at is None or not timedelta(0) <= now - listed_at < _LISTING_EVERY:
            states.note_seen(archive.catalogue.datasets(), policy.digest, now, due=False)
            states.set_cursor("listing", now)
        if changed_at is not None and changed_at <= now:
            changed = archive.changes.datasets_changed_since(changed_at - _OVERLAP)
            states.note_seen(changed, policy.digest, now, due=True)
            states.note_seen(self._alarmed(changed_at - _OVERLAP), policy.digest, now, due=True)
        states.set_cursor("changes", now)

    def _alarmed(self, since: datetime) -> set[str]:
        """Return the folders of files whose alarm is new: no change of the catalogue tells of it."""
        alarms = self._parts.findings.alarms()
        return {Lfn(one.lfn).parent for one in alarms if one.raised_at >= since}

    def _look(self, work: Keeping, state: DatasetState) -> None:
        begun, states = self._parts.reader.clock(), self._parts.states
        try:
            look = keep_dataset(work, state.name, state)
        except DppsError as error:
            if isinstance(error, NotFound) and _is_gone(work.catalogue, state.name):
                states.forget(state.name)
                _log.info("dataset gone", dataset=state.name)
                return
            # One that cannot be looked at goes to the end of the queue: the others have their turn.
            states.note_look(state.name, work.policy.digest, error.message, begun, begun + _LOOK_LONGEST)
            raise
        self._metrics.note_look(look)
        self._tell(look, begun)
        self._alarm(look, begun)
        due_at = self._due_at(look, state, begun)
        self._parts.states.note_look(state.name, work.policy.digest, look.waits_for, begun, due_at)

    def _alarm(self, look: DatasetLook, at: datetime) -> None:
        """Let alarms stand for files that nobody can read back: the audit, which reads, never meets them."""
        reason = "the catalogue knows no complete copy of it"
        for lfn in look.without_copy:
            if self._parts.findings.raise_alarm(lfn.name, reason, at):
                event = AuditEvent(at=at, kind="alarm", name=lfn.name, text=reason)
                self._parts.findings.note(event)
                log_event(event)

    def _due_at(self, look: DatasetLook, state: DatasetState, now: datetime) -> datetime:
        if look.look_again_at is not None:
            return look.look_again_at
        if not look.waits_for:
            return now + self._parts.look_every
        # The longer it has waited the less hurry; a change of its rules brings it back at once.
        waited = now - (state.looked_at or now)
        return now + min(_LOOK_LONGEST, max(_LOOK_SHORTEST, 2 * waited))

    def _tell(self, look: DatasetLook, at: datetime) -> None:
        for copy in look.copies:
            if copy.outcome is PreservationOutcome.FREED:
                _log.info("freed", lfn=str(copy.lfn), rse=copy.rse, verified_at=list(copy.verified_at))
            if copy.outcome is PreservationOutcome.TAKEN_BACK:
                self._note("taken-back", copy, at)
        if look.rules_made or look.rules_ended:
            _log.info("rules changed", dataset=look.dataset, made=look.rules_made, ended=look.rules_ended)

    def _note(self, kind: str, copy: OnsiteCopy, at: datetime) -> None:
        event = AuditEvent(at=at, kind=kind, name=copy.lfn.name, rse=copy.rse, text=copy.reason)
        self._parts.findings.note(event)
        log_event(event)


def _is_gone(catalogue: Catalogue, dataset: str) -> bool:
    try:
        catalogue.rules(dataset)
    except NotFound:
        return True
    return False


class AuditWork:
    """Reads copies back, the oldest first.

    Parameters
    ----------
    parts : PreservationParts
        What to work with.
    metrics : PreservationMetrics
        What to count in.
    pause : callable
        Waits for some seconds; raises to end the round.
    """

    def __init__(
        self, parts: PreservationParts, metrics: PreservationMetrics, pause: Callable[[float], None]
    ) -> None:
        self._parts = parts
        self._metrics = metrics
        self._pause = pause

    def __call__(self, archive: ArchiveConnection) -> bool:
        """Make one round over all storages."""
        parts, read = self._parts, 0
        rses = [element.rse for element in archive.catalogue.storage_elements()]
        for found in audit_pass(
            parts.principal, archive.catalogue, archive.control, parts.audit, rses=rses, pause=self._pause
        ):
            read += 1
            self._metrics.note_reading(found)
        self._metrics.note_summaries(parts.evidence.summaries(), parts.reader.clock(), parts.audit.period)
        alarms = parts.findings.alarms()
        self._metrics.note_alarms(len(alarms), sum(one.acknowledged_by is not None for one in alarms))
        return read > 0


class SurveyWork:
    """Lists all storages, now and then; then removes temporary files, and forgets events, whose time is over.

    Parameters
    ----------
    parts : PreservationParts
        What to work with.
    metrics : PreservationMetrics
        What to count in.
    """

    def __init__(self, parts: PreservationParts, metrics: PreservationMetrics) -> None:
        self._parts = parts
        self._metrics = metrics

    def __call__(self, archive: ArchiveConnection) -> bool:
        """List the storages whose time it is.

        Raises
        ------
        DppsError
            The first outage of a storage, after all was done at the others.
        """
        outages: list[DppsError] = []
        due = [one for one in archive.catalogue.storage_elements() if self._is_due(one.rse)]
        for element in due:
            try:
                self._list(archive, element)
            except DppsError as outage:
                outages.append(outage)
        if len(due) > len(outages):
            parts = self._parts
            try:
                for url in remove_forgotten(
                    parts.principal, archive.catalogue, archive.control, parts.dark()
                ):
                    _log.info("temporary file removed", url=url)
            except DppsError as outage:
                outages.append(outage)
            forgotten = parts.findings.forget_events(parts.reader.clock() - parts.events_kept)
            if forgotten:
                _log.info("old events forgotten", events=forgotten)
        if outages:
            raise outages[0]
        return bool(due)

    def _is_due(self, rse: str) -> bool:
        last = self._parts.states.cursor(_survey_of(rse))
        since = None if last is None else self._parts.reader.clock() - last
        return since is None or not timedelta(0) <= since < self._parts.survey_every

    def _list(self, archive: ArchiveConnection, element: StorageElement) -> None:
        parts, now = self._parts, self._parts.reader.clock()
        survey = survey_storage(
            parts.principal,
            archive.catalogue,
            parts.listing,
            parts.findings,
            element,
            parts.reader.clock,
            parts.dark(),
        )
        dark = parts.findings.count_dark(now - parts.dark_grace, element.rse)
        self._metrics.note_survey(survey, dark)
        _log.info("storage listed", rse=survey.rse, files=survey.files, unknown=survey.unknown)
        parts.states.set_cursor(_survey_of(element.rse), now)


def _survey_of(rse: str) -> str:
    """Return the name under which the last listing of a storage is remembered."""
    return f"survey {rse}"
