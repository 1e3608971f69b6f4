"""What the ingest service counts: under our names, and under those of the observatory's ingest client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dpps.data.ingest.values import IngestedFile, IngestOutcome

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
        self._published = _PublishedMetrics(self.registry)
        self._refused = Gauge(
            "dpps_ingest_refused_files", "Handed-over files that wait for someone.", registry=self.registry
        )
        self._pass_seconds = Histogram(
            "dpps_ingest_pass_seconds", "Duration of passes that found files.", registry=self.registry
        )
        self._failures = Counter(
            "dpps_ingest_interruptions", "Passes interrupted by an outage.", ["code"], registry=self.registry
        )
        for outcome in IngestOutcome:
            if outcome is not IngestOutcome.ACCEPTED:
                self._files.labels(outcome.value)

    def count_file(self, result: IngestedFile, *, queued: int) -> None:
        """Count one file.

        Parameters
        ----------
        result : IngestedFile
            What became of it.
        queued : int
            Files of the pass that are still to come.
        """
        self._files.labels(result.outcome.value).inc()
        self._published.count(result, queued)
        if result.outcome is IngestOutcome.INGESTED:
            self._bytes.inc(result.size_bytes)

    def note_pass(self, seconds: float, refused: int) -> None:
        """Note a pass that found files."""
        self._pass_seconds.observe(seconds)
        self._refused.set(refused)

    def note_interruption(self, code: str) -> None:
        """Note that an outage interrupted the work."""
        self._failures.labels(code).inc()

    def text(self) -> bytes:
        """Return all in the text format of Prometheus."""
        return generate_latest(self.registry)


class _PublishedMetrics:
    """The counters of the published ingest client, so that its dashboards and alarms go on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(name, text, registry=registry)

        self._success = counter("n_tasks_success", "Files taken into the archive.")
        self._failed = counter("n_tasks_failed", "Files that wait or were refused, at every attempt.")
        self._cancelled = counter("n_tasks_cancelled", "Files given up; here none is.")
        self._skipped = counter("n_tasks_skipped", "Files that were known, or went to quarantine.")
        self._processed = counter("n_tasks_processed", "All of these.")
        self._bytes = counter("bytes_ingested", "Bytes taken into the archive.")
        self._queued = Gauge("n_tasks_queued", "Files of the pass that are still to come.", registry=registry)

    def count(self, result: IngestedFile, queued: int) -> None:
        self._processed.inc()
        self._queued.set(queued)
        if result.outcome is IngestOutcome.INGESTED:
            self._success.inc()
            self._bytes.inc(result.size_bytes)
        elif result.outcome in (IngestOutcome.KNOWN, IngestOutcome.QUARANTINED):
            self._skipped.inc()
        else:
            self._failed.inc()
