"""A port that is in use is named, with what to do."""

from __future__ import annotations

import socket

import pytest

from dpps.composition.instance import Endpoint
from dpps.domain.errors import Conflict
from dpps.services.listening import listen


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        endpoint = Endpoint(port=other.getsockname()[1])
        with pytest.raises(Conflict, match=str(endpoint.port)) as caught:
            listen(endpoint)
    assert "dpps status" in caught.value.next_step
    with listen(endpoint) as listener:
        assert listener.getsockname()[1] == endpoint.port
