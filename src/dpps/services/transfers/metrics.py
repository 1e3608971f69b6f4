"""Figures of the transfer service, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from dpps.data.transfers.decisions import Failure
from dpps.data.transfers.ports import TransferQueue
from dpps.data.transfers.records import Settlement
from dpps.data.transfers.states import FINAL_STATES
from dpps.domain.errors import Unavailable

__all__ = ["TransferMetrics"]

_SECONDS_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class TransferMetrics:
    """Counts what this process did; asks the queue for its length when it is read."""

    def __init__(self, queue: TransferQueue) -> None:
        self.registry = CollectorRegistry()
        self._files = Counter(
            "dpps_transfers_files_total", "Files that became final", ["state"], registry=self.registry
        )
        self._bytes = Counter(
            "dpps_transfers_bytes_total", "Bytes at verified destinations", registry=self.registry
        )
        self._seconds = Histogram(
            "dpps_transfers_attempt_seconds",
            "Time of one attempt",
            buckets=_SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "dpps_transfers_failures_total", "Failed attempts", ["failure"], registry=self.registry
        )
        self.registry.register(_QueueFigures(queue))

    def record(self, settlement: Settlement, failure: Failure | None, seconds: float) -> None:
        """Count one attempt that was settled."""
        self._seconds.observe(seconds)
        if settlement.state in FINAL_STATES:
            self._files.labels(state=settlement.state.value).inc()
        if settlement.found is not None and failure is None:
            self._bytes.inc(settlement.found.size_bytes)
        if failure is not None:
            self._failures.labels(failure=failure.kind.value).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _QueueFigures:
    """Length of the queue, read when asked for; absent while the database does not answer."""

    def __init__(self, queue: TransferQueue) -> None:
        self._queue = queue

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the figures without asking the database."""
        yield GaugeMetricFamily("dpps_transfers_waiting_files", "Files that wait for a worker")
        yield GaugeMetricFamily("dpps_transfers_active_files", "Files being moved")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the figures."""
        try:
            summary = self._queue.summary()
        except Unavailable:
            return
        for family, value in zip(self.describe(), (summary.waiting, summary.active), strict=True):
            family.add_metric([], value)
            yield family
