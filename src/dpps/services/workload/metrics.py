"""Figures of the workload service, for Prometheus: read from the database when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dpps.domain.errors import Unavailable
from dpps.services.workload.driver import AgentDriver
from dpps.workload.context import WorkloadContext

__all__ = ["WorkloadMetrics"]


class WorkloadMetrics:
    """A collector over the work store and the agent."""

    def __init__(self, context: WorkloadContext, driver: AgentDriver) -> None:
        self._context = context
        self._driver = driver
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Return nothing: the figures are known when the database answers."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return the figures; those of the database are absent while it does not answer."""
        yield CounterMetricFamily(
            "dpps_workload_passes", "Passes of the agent since its start", self._driver.passes
        )
        yield CounterMetricFamily(
            "dpps_workload_pass_seconds", "Time spent in passes of the agent", self._driver.seconds
        )
        yield GaugeMetricFamily(
            "dpps_workload_engine_jobs", "Jobs that the engine has", len(self._context.engine.known())
        )
        try:
            counts = self._context.store.counts()
        except Unavailable:
            yield GaugeMetricFamily("dpps_workload_database_up", "Whether the database answers", 0)
            return
        yield GaugeMetricFamily("dpps_workload_database_up", "Whether the database answers", 1)
        yield _by("dpps_workload_productions", "Productions", "state", counts.productions)
        yield _by("dpps_workload_tasks", "Tasks", "state", counts.tasks)
        yield _by("dpps_workload_jobs", "Jobs", "state", counts.jobs)
        yield _by("dpps_workload_job_ends", "Jobs that ended", "exit_reason", counts.exit_reasons)
        yield GaugeMetricFamily("dpps_workload_outbox", "Winners that are not published yet", counts.outbox)
        oldest = counts.outbox_oldest_at
        age = 0.0 if oldest is None else (self._context.clock() - oldest).total_seconds()
        yield GaugeMetricFamily(
            "dpps_workload_outbox_oldest_seconds", "Age of the oldest of them", max(age, 0.0)
        )


def _by(name: str, text: str, label: str, numbers: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in sorted(numbers.items()):
        family.add_metric([value], number)
    return family
