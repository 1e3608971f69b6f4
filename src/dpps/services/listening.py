"""Taking the address of a service: at once and before anything else, so that no service runs twice."""

from __future__ import annotations

import socket

from dpps.composition.instance import Endpoint
from dpps.domain.errors import Conflict

__all__ = ["listen"]


def listen(endpoint: Endpoint) -> socket.socket:
    """Return a socket bound to the address of a service.

    Raises
    ------
    Conflict
        When the port is in use.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((endpoint.host, endpoint.port))
    except OSError as refused:
        listener.close()
        raise Conflict(
            f"cannot listen on {endpoint.host}:{endpoint.port}: {refused.strerror}",
            code="port-in-use",
            next_step="stop what uses the port (dpps status, dpps down), or start with another --state",
            port=endpoint.port,
        ) from refused
    return listener
