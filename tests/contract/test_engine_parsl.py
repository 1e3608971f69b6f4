"""The Parsl engine keeps the contract, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dpps.adapters.parsl import executor
from dpps.adapters.parsl.engine import ParslEngine
from dpps.domain.work import ExitReason
from dpps.testing.engine_contract import EngineContract, collect, eventually, play
from dpps.workload.stopping import SANDBOXES, stop_file

pytestmark = pytest.mark.parsl


class TestParslEngine(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("parsl")

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, folder: Path) -> Iterator[ParslEngine]:
        # One for all tests: starting takes longer than all of them.
        engine = ParslEngine(play, folder, workers=1)
        yield engine
        engine.stop()
        assert eventually(lambda: descendants() == [])

    def test_the_worker_of_a_withdrawn_job_is_told(self, engine: ParslEngine, folder: Path) -> None:
        job = "night.dl1.1.1"
        engine.submit(job, f"wait ${SANDBOXES}/{job}.stop", priority=5)
        engine.withdraw(job)
        (end,) = collect(engine, 1)
        assert (end.job, end.exit_reason) == (job, ExitReason.FINISHED)
        assert not stop_file(folder / "sandboxes", job).exists(), "it would end a later job of this name"


def descendants(process: psutil.Process | None = None) -> list[psutil.Process]:
    """Return what runs below a process, or was started by Parsl for it and adopted by init since."""
    owner = process or psutil.Process()
    wanted = str(owner.pid)
    adopted = []
    for other in psutil.process_iter(["cmdline"]):
        command = other.info["cmdline"] or []
        if "dpps.adapters.parsl.guard" in command and wanted in command:
            adopted += [other, *other.children(recursive=True)]
    return adopted


def test_an_idle_executor_is_stopped_and_comes_back(tmp_path: Path) -> None:
    engine = ParslEngine(play, tmp_path / "parsl", workers=1, idle_seconds=0.0)
    engine.submit("a", f"write {tmp_path / 'a'}", priority=5)
    collect(engine, 1)
    engine.release_idle()
    assert not engine.is_running
    assert eventually(lambda: descendants() == [])
    engine.submit("b", f"write {tmp_path / 'b'}", priority=5)
    assert collect(engine, 1)[0].exit_reason is ExitReason.FINISHED
    engine.stop()


def test_a_killed_worker_pool_loses_its_job_and_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(executor, "_HEARTBEATS_LOST_SECONDS", 5)
    engine = ParslEngine(play, tmp_path / "parsl", workers=1)
    engine.submit("a", f"wait {tmp_path / 'never'}", priority=5)
    assert eventually((tmp_path / "never.waiting").exists)
    os.killpg(os.getpgid(_pools()[0].pid), signal.SIGKILL)
    engine.submit("b", f"write {tmp_path / 'b'}", priority=5)
    ends = {end.job: end.exit_reason for end in collect(engine, 2)}
    assert ends == {"a": ExitReason.LOST, "b": ExitReason.FINISHED}
    engine.stop()


def _pools() -> list[psutil.Process]:
    return [process for process in descendants() if "--group" in process.cmdline()]


def _payloads(owner: psutil.Process) -> int:
    return sum(process.name() == "sleep" for process in descendants(owner))


_HOST = """
import sys, time
from pathlib import Path
from dpps.adapters.parsl.engine import ParslEngine
from dpps.testing.engine_contract import play
engine = ParslEngine(play, Path(sys.argv[1]) / "parsl", workers=2)
for name in "ab":
    engine.submit(name, "payload 1234", priority=5)
time.sleep(600)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_its_owner(tmp_path: Path, signal_number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOST, str(tmp_path)]) as host:
        owner = psutil.Process(host.pid)
        assert eventually(lambda: _payloads(owner) == 2)
        below = descendants(owner)
        host.send_signal(signal_number)
        host.wait()
    assert eventually(lambda: not any(process.is_running() for process in below))
