"""Ports on the loopback interface: choosing free ones, and telling who holds a taken one."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from dpps.composition.instance import Endpoint
from dpps.domain.errors import Conflict, Unavailable

__all__ = ["assert_free", "choose", "holder", "is_free"]

# Below the range from which the kernel takes the ports of outgoing connections.
_FIRST, _LAST = 15_000, 32_000


def is_free(endpoint: Endpoint) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((endpoint.host, endpoint.port))
        except OSError:
            return False
    return True


def choose(services: Iterable[str], taken: Iterable[int]) -> dict[str, Endpoint]:
    """Choose a free port for each service, none of them in `taken`.

    Raises
    ------
    Unavailable
        When the machine has no free ports left.
    """
    candidates = list(range(_FIRST, _LAST))
    random.shuffle(candidates)
    avoid = set(taken)
    chosen: dict[str, Endpoint] = {}
    for service in services:
        while candidates:
            endpoint = Endpoint(port=candidates.pop())
            if endpoint.port not in avoid and is_free(endpoint):
                chosen[service] = endpoint
                break
        else:
            raise Unavailable(
                f"no port between {_FIRST} and {_LAST} is free for {service}",
                code="no-free-port",
                next_step="see who holds them: ss -ltnp",
            )
    return chosen


def holder(port: int) -> str | None:
    """Return who listens on a port, like ``python (process 123)``, or None when we may not know."""
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            if connection.pid is None:
                return None
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.NoSuchProcess:
                return None
    return None


def assert_free(service: str, endpoint: Endpoint) -> None:
    """Refuse a port that a stranger holds.

    Raises
    ------
    Conflict
        Naming the port, its holder where known, and what to do.
    """
    if is_free(endpoint):
        return
    who = holder(endpoint.port)
    raise Conflict(
        f"port {endpoint.port} of service {service} is in use by {who or 'a process of another user'}",
        code="port-in-use",
        next_step=(
            f"stop that process (ss -ltnp 'sport = :{endpoint.port}' shows it), "
            f"or give the service another port in instance.json, then run: dpps up"
        ),
        service=service,
        port=endpoint.port,
    )
