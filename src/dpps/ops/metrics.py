"""What the supervisor tells Prometheus: measured when asked, never in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dpps.composition.instance import Endpoint
from dpps.ops.processes import memory_bytes, tree
from dpps.ops.service import ServiceState

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from dpps.ops.managed import ManagedService

__all__ = ["ServiceCollector", "serve_metrics"]


class ServiceCollector(Collector):
    """Turns the present state of the services into metrics."""

    def __init__(self, services: Sequence[ManagedService]) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each thing that is measured."""
        up = GaugeMetricFamily("dpps_service_up", "1 when the service is ready", labels=["service"])
        restarts = CounterMetricFamily(
            "dpps_service_restarts", "Restarts by the supervisor", labels=["service"]
        )
        memory = GaugeMetricFamily(
            "dpps_service_memory_bytes", "Proportional set size of all its processes", labels=["service"]
        )
        start = GaugeMetricFamily(
            "dpps_service_start_seconds", "From start to first successful probe", labels=["service"]
        )
        for managed in self._services:
            name = [managed.service.name]
            up.add_metric(name, float(managed.state is ServiceState.READY))
            restarts.add_metric(name, managed.restarts)
            if managed.pid:
                memory.add_metric(name, memory_bytes(tree(managed.pid)))
            if managed.start_seconds is not None:
                start.add_metric(name, managed.start_seconds)
        yield from (up, restarts, memory, start)


def serve_metrics(services: Sequence[ManagedService], endpoint: Endpoint) -> None:
    """Serve ``/metrics`` from a thread."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(services))
    start_http_server(endpoint.port, addr=endpoint.host, registry=registry)
