"""The loop around a stock daemon: woken, paced, retried, and honest about failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.services.rucio_loop import DaemonLoop, Pace, Pass

PATIENCE_SECONDS = 20
HASTY = Pace(quickest_seconds=0.0, slowest_seconds=0.0, idle_seconds=3600.0, failing_seconds=0.0)


@pytest.fixture
def start() -> Iterator[Callable[[Callable[[], Pass]], DaemonLoop]]:
    stop, loops = threading.Event(), []

    def begin(prepare: Callable[[], Pass]) -> DaemonLoop:
        loop = DaemonLoop("test", prepare, HASTY, stop)
        loops.append(loop)
        loop.start()
        return loop

    yield begin
    stop.set()
    for loop in loops:
        loop.wake()
        loop.join(PATIENCE_SECONDS)
        assert not loop.is_alive()


def _wake_until(loop: DaemonLoop, happened: Callable[[], bool]) -> None:
    """Wake as the watcher does: again and again, since a call during a pass is forgotten."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        loop.wake()
        if happened():
            return
    raise AssertionError("it did not happen in time")


type Begin = Callable[[Callable[[], Pass]], DaemonLoop]


def test_a_daemon_works_when_it_is_woken(start: Begin) -> None:
    worked = threading.Event()
    loop = start(lambda: worked.set)
    loop.wake()
    assert worked.wait(PATIENCE_SECONDS)
    assert loop.complaint() is None


def test_a_failing_daemon_is_retried_and_complained_about_until_it_succeeds(start: Begin) -> None:
    attempts = threading.Semaphore(0)
    healed = threading.Event()

    def one_pass() -> None:
        attempts.release()
        if not healed.is_set():
            raise RuntimeError("no luck")

    loop = start(lambda: one_pass)
    for _ in range(4):
        _wake_until(loop, lambda: attempts.acquire(timeout=0.02))
    # The fourth attempt has begun, so three failures in a row are on record.
    complaint = loop.complaint()
    assert complaint is not None
    assert "no luck" in complaint

    healed.set()
    for _ in range(2):
        _wake_until(loop, lambda: attempts.acquire(timeout=0.02))
    assert loop.is_alive()


def test_a_daemon_that_cannot_be_prepared_is_tried_again(start: Begin) -> None:
    worked = threading.Event()
    tried: list[int] = []

    def prepare() -> Pass:
        tried.append(len(tried) + 1)
        if len(tried) < 2:
            raise RuntimeError("the database is away")
        return worked.set

    _wake_until(start(prepare), lambda: worked.wait(0.02))
    assert tried == [1, 2]


@given(st.integers(0, 10_000))
def test_pauses_grow_to_their_limit(passes: int) -> None:
    pace = Pace()
    assert pace.quickest_seconds <= pace.pause_seconds(passes) <= pace.pause_seconds(passes + 1)
    assert pace.pause_seconds(passes) <= pace.slowest_seconds
    assert 0 < pace.failure_seconds(passes) <= pace.failing_seconds
