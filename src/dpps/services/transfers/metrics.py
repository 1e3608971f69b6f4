"""Figures of the transfer service, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from dpps.data.transfers.history import TransferHistory
from dpps.data.transfers.ports import TransferQueue
from dpps.data.transfers.records import Claim, Settlement
from dpps.data.transfers.states import FINAL_STATES
from dpps.domain.errors import Unavailable

__all__ = ["TransferMetrics"]

_SECONDS_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


_LINK = ("source", "destination")
_LINK_FIGURES_SINCE = timedelta(minutes=5)


class TransferMetrics:
    """Counts what this process did; asks the queue for its length when it is read.

    Parameters
    ----------
    queue, history : TransferQueue, TransferHistory
        Whose figures they are.
    """

    def __init__(self, queue: TransferQueue, history: TransferHistory) -> None:
        self.registry = CollectorRegistry()
        self._files = Counter(
            "dpps_transfers_files_total", "Files that became final", ["state"], registry=self.registry
        )
        self._bytes = Counter(
            "dpps_transfers_bytes_total", "Bytes at verified destinations", registry=self.registry
        )
        self._link_bytes = Counter(
            "dpps_transfers_link_bytes_total", "Bytes that arrived over a link", _LINK, registry=self.registry
        )
        self._seconds = Histogram(
            "dpps_transfers_attempt_seconds",
            "Time of one attempt",
            _LINK,
            buckets=_SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "dpps_transfers_failures_total",
            "Failed attempts by class",
            ["failure", *_LINK],
            registry=self.registry,
        )
        self.registry.register(_QueueFigures(queue, history))

    def record(self, claim: Claim, settlement: Settlement, seconds: float) -> None:
        """Count one attempt that was settled."""
        link = {"source": claim.lane.source, "destination": claim.lane.destination}
        self._seconds.labels(**link).observe(seconds)
        if settlement.state in FINAL_STATES:
            self._files.labels(state=settlement.state.value).inc()
        if settlement.failure is not None:
            self._failures.labels(failure=settlement.failure.kind.value, **link).inc()
        elif settlement.found is not None:
            self._bytes.inc(settlement.found.size_bytes)
            self._link_bytes.labels(**link).inc(settlement.found.size_bytes)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _QueueFigures:
    """Lengths of the queue, read when asked for; absent while the database does not answer."""

    def __init__(self, queue: TransferQueue, history: TransferHistory) -> None:
        self._queue, self._history = queue, history

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the figures without asking the database."""
        yield GaugeMetricFamily("dpps_transfers_waiting_files", "Files that wait for a worker")
        yield GaugeMetricFamily("dpps_transfers_active_files", "Files being moved")
        yield GaugeMetricFamily("dpps_transfers_link_waiting_files", "Files that wait, by link", labels=_LINK)
        yield GaugeMetricFamily(
            "dpps_transfers_link_active_files", "Files being moved, by link", labels=_LINK
        )
        yield GaugeMetricFamily(
            "dpps_transfers_storage_failures", "Network failures in a row", labels=["storage"]
        )

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the figures."""
        try:
            summary = self._queue.summary()
            links = self._history.links(datetime.now(UTC) - _LINK_FIGURES_SINCE)
            breakers = self._history.breakers()
        except Unavailable:
            return
        waiting, active, link_waiting, link_active, failures = self.describe()
        waiting.add_metric([], summary.waiting)
        active.add_metric([], summary.active)
        for link in links:
            link_waiting.add_metric([link.source, link.destination], link.queued)
            link_active.add_metric([link.source, link.destination], link.active)
        for one in breakers:
            failures.add_metric([one.storage], one.failures)
        yield from (waiting, active, link_waiting, link_active, failures)
