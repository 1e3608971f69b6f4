"""What every job engine must do. A subclass gives the fixture ``engine``, which runs `play`."""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dpps.domain.work import ExitReason
from dpps.workload.ports import Engine, JobEnd

__all__ = ["EngineContract", "play"]

_PATIENCE_SECONDS = 120


def play(bundle: str) -> str:
    """Stand for the job runner.

    ``write PATH``; ``fail``; ``wait PATH`` until a file is there, while ``PATH.waiting`` tells that it
    waits; or ``payload SECONDS`` for a program of its own. A path may name variables of the worker.
    """
    verb, _, argument = os.path.expandvars(bundle).partition(" ")
    if verb == "fail":
        raise RuntimeError("the runner failed")
    if verb == "payload":
        subprocess.run(["sleep", argument], check=False)
    elif verb == "wait":
        Path(f"{argument}.waiting").touch()
        while not Path(argument).exists():
            time.sleep(0.02)
    else:
        Path(argument).write_text("done")
    return verb


def eventually(condition: Callable[[], bool]) -> bool:
    """Return whether a condition comes true in time."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def collect(engine: Engine, number: int) -> list[JobEnd]:
    """Return the next ends of jobs, as many as wanted."""
    ends: list[JobEnd] = []

    def enough() -> bool:
        ends.extend(engine.collect())
        return len(ends) >= number

    assert eventually(enough), f"{len(ends)} of {number} jobs ended"
    return ends


class EngineContract:
    """The suite."""

    def test_a_job_runs_and_its_end_is_collected_once(self, engine: Engine, tmp_path: Path) -> None:
        engine.submit("a", f"write {tmp_path / 'a'}", priority=5)
        assert [(end.job, end.exit_reason) for end in collect(engine, 1)] == [("a", ExitReason.FINISHED)]
        assert (tmp_path / "a").read_text() == "done"
        assert engine.collect() == []
        assert engine.known() == frozenset()

    def test_a_job_is_known_until_its_end_is_collected(self, engine: Engine, tmp_path: Path) -> None:
        engine.submit("a", f"wait {tmp_path / 'go'}", priority=5)
        assert engine.known() == {"a"}
        assert engine.collect() == []
        (tmp_path / "go").touch()
        collect(engine, 1)
        assert engine.known() == frozenset()

    def test_a_runner_that_fails_is_missing_a_report(self, engine: Engine) -> None:
        engine.submit("a", "fail", priority=5)
        (end,) = collect(engine, 1)
        assert end.exit_reason is ExitReason.MISSING
        assert "the runner failed" in end.detail

    def test_a_known_job_is_not_submitted_twice(self, engine: Engine, tmp_path: Path) -> None:
        engine.submit("a", f"wait {tmp_path / 'go'}", priority=5)
        engine.submit("a", f"write {tmp_path / 'twice'}", priority=5)
        (tmp_path / "go").touch()
        assert len(collect(engine, 1)) == 1
        assert not (tmp_path / "twice").exists()

    def test_the_end_of_a_withdrawn_job_is_collected_once(self, engine: Engine, tmp_path: Path) -> None:
        engine.submit("a", f"wait {tmp_path / 'go'}", priority=5)
        for job in ("a", "a", "nobody"):
            engine.withdraw(job)
        (tmp_path / "go").touch()
        assert [end.job for end in collect(engine, 1)] == ["a"]
        assert engine.known() == frozenset()
        engine.withdraw("a")
        assert engine.collect() == []

    def test_capacity_shrinks_with_jobs(self, engine: Engine, tmp_path: Path) -> None:
        before = engine.capacity()
        assert before >= 1
        engine.submit("a", f"wait {tmp_path / 'go'}", priority=5)
        assert engine.capacity() == before - 1
        (tmp_path / "go").touch()
        collect(engine, 1)
        assert engine.capacity() == before

    def test_the_end_of_a_job_wakes(self, engine: Engine, tmp_path: Path) -> None:
        woken = threading.Event()
        engine.on_end(woken.set)
        engine.submit("a", f"write {tmp_path / 'a'}", priority=5)
        assert woken.wait(_PATIENCE_SECONDS)
        collect(engine, 1)

    def test_it_can_be_stopped_twice(self, engine: Engine, tmp_path: Path) -> None:
        engine.submit("a", f"write {tmp_path / 'a'}", priority=5)
        collect(engine, 1)
        engine.stop()
        engine.stop()
