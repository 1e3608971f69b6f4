"""What the ingest service counts."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dpps.data.ingest import IngestedFile, IngestOutcome
from dpps.data.preservation import OnsiteCopy, PreservationOutcome

__all__ = ["IngestMetrics"]


class IngestMetrics:
    """Counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._files = Counter(
            "dpps_ingest_files",
            "Handed-over files by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self._bytes = Counter("dpps_ingest_bytes", "Bytes taken into the archive.", registry=self.registry)
        self._refused = Gauge(
            "dpps_ingest_refused_files", "Handed-over files that wait for someone.", registry=self.registry
        )
        self._pass_seconds = Histogram(
            "dpps_ingest_pass_seconds", "Duration of passes that found files.", registry=self.registry
        )
        self._copies = Counter(
            "dpps_preservation_copies", "On-site copies freed.", ["outcome"], registry=self.registry
        )
        self._waiting = Gauge(
            "dpps_preservation_waiting_copies", "On-site copies not safe to free yet.", registry=self.registry
        )
        self._failures = Counter(
            "dpps_ingest_interruptions", "Passes interrupted by an outage.", ["code"], registry=self.registry
        )
        for outcome in (IngestOutcome.INGESTED, IngestOutcome.KNOWN, IngestOutcome.REFUSED):
            self._files.labels(outcome.value)

    def count_file(self, result: IngestedFile) -> None:
        """Count one file."""
        self._files.labels(result.outcome.value).inc()
        if result.outcome is IngestOutcome.INGESTED:
            self._bytes.inc(result.size_bytes)

    def note_pass(self, seconds: float, refused: int) -> None:
        """Note a pass that found files."""
        self._pass_seconds.observe(seconds)
        self._refused.set(refused)

    def note_preservation(self, copies: Sequence[OnsiteCopy]) -> None:
        """Note a preservation pass."""
        freed = sum(copy.outcome is PreservationOutcome.FREED for copy in copies)
        self._copies.labels(PreservationOutcome.FREED.value).inc(freed)
        self._waiting.set(len(copies) - freed)

    def note_interruption(self, code: str) -> None:
        """Note that an outage interrupted the work."""
        self._failures.labels(code).inc()

    def text(self) -> bytes:
        """Return all in the text format of Prometheus."""
        return generate_latest(self.registry)
