"""Choosing ports, and telling who holds a taken one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from dpps.composition.instance import Endpoint
from dpps.domain.errors import Conflict
from dpps.ops import ports


@pytest.fixture
def taken() -> Iterator[Endpoint]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Endpoint(port=server.getsockname()[1])


def test_chosen_ports_are_free_and_all_different() -> None:
    chosen = ports.choose(["a", "b", "c"], taken=[])
    assert list(chosen) == ["a", "b", "c"]
    assert len({endpoint.port for endpoint in chosen.values()}) == 3
    assert all(ports.is_free(endpoint) for endpoint in chosen.values())


def test_a_taken_port_is_reported_with_its_holder(taken: Endpoint) -> None:
    with pytest.raises(Conflict, match=f"port {taken.port} of service x is in use by") as refused:
        ports.assert_free("x", taken)
    assert refused.value.code == "port-in-use"
    assert f"process {os.getpid()}" in refused.value.message
    assert str(taken.port) in refused.value.next_step


def test_a_free_port_is_not_refused(taken: Endpoint) -> None:
    free = ports.choose(["x"], taken=[taken.port])["x"]
    ports.assert_free("x", free)
    assert free.port != taken.port
