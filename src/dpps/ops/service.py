"""What a service is, the states it goes through, and the decisions about restarting it: all pure."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from dpps.composition.instance import Endpoint
from dpps.domain.errors import InvalidInput, InvalidTransition

__all__ = [
    "TRANSITIONS",
    "Probe",
    "RestartPolicy",
    "Service",
    "ServiceState",
    "assert_transition",
    "select",
    "start_order",
]

type Probe = Callable[[], Awaitable[str | None]]
"""Returns None when the service is ready, else why it is not."""


class ServiceState(StrEnum):
    """State of one service, as the supervisor sees it."""

    WAITING = "waiting"
    """Not started: something that it depends on is not ready."""
    STARTING = "starting"
    """Its process runs; its probe has not succeeded yet."""
    READY = "ready"
    """Its process runs and its last probe succeeded."""
    UNREADY = "unready"
    """Its process runs and was ready before; its last probes failed."""
    RESTARTING = "restarting"
    """Its process ended unasked; it waits for its next start."""
    FAILED = "failed"
    """It ended several times without ever having been ready: nobody restarts it."""
    STOPPING = "stopping"
    """It was told to stop and has not ended yet."""
    STOPPED = "stopped"
    """It ended because it was told to."""
    ABSENT = "absent"
    """This machine has no program for it, and the system runs without."""
    EXTERNAL = "external"
    """It is run by others."""


_S = ServiceState
TRANSITIONS: Mapping[ServiceState, frozenset[ServiceState]] = {
    _S.WAITING: frozenset({_S.STARTING, _S.STOPPED, _S.EXTERNAL, _S.FAILED}),
    _S.STARTING: frozenset({_S.READY, _S.RESTARTING, _S.FAILED, _S.STOPPING}),
    _S.READY: frozenset({_S.UNREADY, _S.RESTARTING, _S.STOPPING}),
    _S.UNREADY: frozenset({_S.READY, _S.RESTARTING, _S.STOPPING}),
    _S.RESTARTING: frozenset({_S.STARTING, _S.STOPPED}),
    _S.FAILED: frozenset({_S.STOPPED}),
    _S.STOPPING: frozenset({_S.STOPPED}),
    _S.STOPPED: frozenset(),
    _S.ABSENT: frozenset(),
    _S.EXTERNAL: frozenset({_S.STOPPED}),
}


def assert_transition(service: str, old: ServiceState, new: ServiceState) -> None:
    """Refuse a change of state that the table does not know.

    Raises
    ------
    InvalidTransition
        When `new` cannot follow `old`.
    """
    if new not in TRANSITIONS[old]:
        raise InvalidTransition(f"service {service} cannot go from {old} to {new}", service=service)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How long to wait before a service is started again, and when to give up."""

    first_seconds: float = 0.5
    factor: float = 2.0
    longest_seconds: float = 30.0
    settled_seconds: float = 60.0
    """Being ready for so long makes earlier failures forgotten."""
    attempts: int = 3
    """Starts without ever getting ready after which the service counts as failed."""

    def failures(self, before: int, ready_seconds: float) -> int:
        """Return the number of failures in a row after one more end of the process."""
        return 1 if ready_seconds >= self.settled_seconds else before + 1

    def delay_seconds(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row."""
        exponent = min(max(failures, 1) - 1, 32)
        return min(self.longest_seconds, self.first_seconds * self.factor**exponent)

    def gives_up(self, failures: int, *, was_ready: bool) -> bool:
        """Tell whether to leave the service alone."""
        return not was_ready and failures >= self.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row of the table of services."""

    name: str
    purpose: str
    command: tuple[str, ...] = ()
    """Empty for a service that this supervisor does not run."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own."""
    depends_on: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    probe: Probe
    user: str | None = None
    """User to drop to; None to stay who we are."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    """Time between being told to stop and being killed."""
    start_seconds: float = 90.0
    """Time to get ready in before the start counts as failed."""
    restart: RestartPolicy = RestartPolicy()
    initial: ServiceState = ServiceState.WAITING
    reason: str = ""
    """Why it is absent or external."""

    @property
    def runs_here(self) -> bool:
        """Whether the supervisor starts a process for it."""
        return bool(self.command)


def start_order(services: Iterable[Service]) -> list[list[str]]:
    """Return the names in waves: all of a wave may start when the earlier waves are ready.

    Raises
    ------
    InvalidInput
        When dependencies form a circle or name an unknown service.
    """
    graph = {service.name: set(service.depends_on) for service in services}
    unknown = {name for needed in graph.values() for name in needed} - graph.keys()
    if unknown:
        raise InvalidInput(f"unknown services are depended on: {', '.join(sorted(unknown))}")
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as circle:
        raise InvalidInput(f"services depend on one another in a circle: {circle.args[1]}") from circle
    waves = []
    while sorter.is_active():
        wave = sorted(sorter.get_ready())
        waves.append(wave)
        sorter.done(*wave)
    return waves


def select(services: Iterable[Service], wanted: Iterable[str]) -> tuple[Service, ...]:
    """Return the wanted services and all that they depend on, in the order of the table.

    Raises
    ------
    InvalidInput
        When there is no service of a name.
    """
    table = {service.name: service for service in services}
    needed: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name not in table:
            raise InvalidInput(
                f"there is no service {name!r}", next_step=f"choose from: {', '.join(table)}", service=name
            )
        if name not in needed:
            needed.add(name)
            pending.extend(table[name].depends_on)
    return tuple(service for service in table.values() if service.name in needed)
