"""What the preservation service counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from dpps.data.audit.comparing import Survey
from dpps.data.audit.records import AuditSummary, CopyEvidence
from dpps.data.preservation import DatasetLook

__all__ = ["PreservationMetrics"]


class PreservationMetrics:
    """Counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(name, what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(name, what, labels, registry=registry)

        self._freed = counter("dpps_preservation_freed_copies", "On-site copies freed.")
        self._looks = counter("dpps_preservation_looks", "Looks at datasets.")
        self._rules = counter("dpps_preservation_rules", "Rules made or ended.", "change")
        self._datasets = gauge("dpps_preservation_datasets", "Datasets by state.", "state")
        self._bytes = counter("dpps_audit_verified_bytes", "Bytes read back.", "rse")
        self._copies = counter("dpps_audit_verified_copies", "Copies read, by outcome.", "rse", "outcome")
        self._known = gauge("dpps_audit_copies", "Copies by their last reading.", "rse", "outcome")
        self._oldest = gauge("dpps_audit_oldest_seconds", "Age of the oldest reading of a copy.", "rse")
        self._behind = gauge("dpps_audit_behind", "1 where copies are read later than they should be.", "rse")
        self._listed = gauge("dpps_audit_listed_files", "Files in the last listing of a storage.", "rse")
        self._unknown = gauge("dpps_audit_unknown_files", "Of these, unknown to the catalogue.", "rse")
        self._dark = gauge("dpps_audit_dark_files", "Files unknown for longer than the grace period.", "rse")
        self._alarms = gauge("dpps_audit_alarms", "Files without a good copy, by answer.", "answered")
        self._failures = counter(
            "dpps_preservation_interruptions", "Rounds interrupted by an outage.", "code"
        )

    def note_look(self, look: DatasetLook) -> None:
        """Count one look at a dataset."""
        self._looks.inc()
        self._freed.inc(look.freed)
        self._rules.labels("made").inc(look.rules_made)
        self._rules.labels("ended").inc(look.rules_ended)

    def note_datasets(self, settled: int, unsettled: int) -> None:
        """Note how many datasets have what the policy asks."""
        self._datasets.labels("settled").set(settled)
        self._datasets.labels("unsettled").set(unsettled)

    def note_reading(self, found: CopyEvidence) -> None:
        """Count one copy that was read back."""
        self._copies.labels(found.rse, found.outcome.value).inc()
        self._bytes.labels(found.rse).inc(found.content.size_bytes if found.content else 0)

    def note_summaries(self, summaries: Sequence[AuditSummary], now: datetime, period: timedelta) -> None:
        """Note how far the audit is."""
        for one in summaries:
            self._behind.labels(one.rse).set(one.is_behind(period, now))
            for outcome in ("unverified", "intact", "damaged", "lost", "unreadable"):
                self._known.labels(one.rse, outcome).set(getattr(one, outcome))
            if one.oldest_at is not None:
                self._oldest.labels(one.rse).set((now - one.oldest_at).total_seconds())

    def note_survey(self, survey: Survey, dark: int) -> None:
        """Note a listing of a storage."""
        self._listed.labels(survey.rse).set(survey.files)
        self._unknown.labels(survey.rse).set(survey.unknown)
        self._dark.labels(survey.rse).set(dark)

    def note_alarms(self, standing: int, answered: int) -> None:
        """Note the alarms that stand."""
        self._alarms.labels("no").set(standing - answered)
        self._alarms.labels("yes").set(answered)

    def note_interruption(self, code: str) -> None:
        """Note that an outage interrupted the work."""
        self._failures.labels(code).inc()

    def text(self) -> bytes:
        """Return all in the text format of Prometheus."""
        return generate_latest(self.registry)
