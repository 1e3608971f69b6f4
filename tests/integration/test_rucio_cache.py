"""The catalogue outlives its cache."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dpps.composition.rucio_accounts import connect_account
from dpps.ops.status import read_status

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_THREADS = 8
"""As many as the server's workers have together, so that each has a connection to lose."""
_PATIENCE_SECONDS = 60.0


def _cache_pid(system: RunningSystem) -> int | None:
    status = read_status(system.folder)
    assert status is not None
    return next((one.pid for one in status.services if one.name == "cache"), None)


def test_no_request_fails_when_the_cache_ends_and_comes_back(running_system: RunningSystem) -> None:
    first = _cache_pid(running_system)
    if first is None:
        pytest.skip("this machine has no memcached")
    client = connect_account(running_system.folder, "reader")

    def ask(_number: int) -> list[str]:
        return sorted(one["rse"] for one in client.list_rses("ONSITE=True"))

    with ThreadPoolExecutor(_THREADS) as threads:
        before = list(threads.map(ask, range(4 * _THREADS)))
        os.kill(first, signal.SIGKILL)
        after = list(threads.map(ask, range(8 * _THREADS)))
    assert before + after == [["CTAO-NORTH", "CTAO-SOUTH"]] * (12 * _THREADS)
    until = time.monotonic() + _PATIENCE_SECONDS
    while (again := _cache_pid(running_system)) in (first, None):
        assert time.monotonic() < until, "the supervisor does not start the cache again"
        time.sleep(0.1)
    assert again != first
    assert ask(0) == ["CTAO-NORTH", "CTAO-SOUTH"]
