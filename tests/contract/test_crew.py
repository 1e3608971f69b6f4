from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest

from dpps.adapters.processes.crew import ProcessCrew
from dpps.data.ingest.crew import CallerCrew, Crew, Interrupted
from dpps.testing.crew_contract import CrewContract, DeadlyCrewContract, do_as_told


class TestCallerCrew(CrewContract):
    @pytest.fixture
    def crew(self) -> Crew:
        return CallerCrew()


class TestProcessCrew(DeadlyCrewContract):
    @pytest.fixture
    def crew(self) -> Iterator[Crew]:
        with closing(ProcessCrew(2, preload=["json"])) as crew:
            yield crew


def processes_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == []


def test_few_items_are_not_worth_a_process() -> None:
    with closing(ProcessCrew(2, few=3)) as crew:
        (pid,) = crew.start(_pid, [1]).results(lambda: False)
        assert pid == os.getpid()
        pids = crew.start(_pid, range(8)).results(lambda: False)
        assert os.getpid() not in pids


def test_workers_rest_and_come_back() -> None:
    with closing(ProcessCrew(1)) as crew:
        (first,) = crew.start(_pid, [1]).results(lambda: False)
        assert isinstance(first, int)
        worker = psutil.Process(first)
        crew.rest()
        wait_until_gone([worker])
        assert crew.start(do_as_told, [3]).results(lambda: False) == [9]


def test_a_closed_crew_interrupts_whoever_waits_and_takes_nothing_more() -> None:
    crew = ProcessCrew(1)
    orders: list[str | int] = [1, "sleep"]
    work = crew.start(do_as_told, orders)
    crew.close()
    with pytest.raises(Interrupted):
        work.results(lambda: False)
    with pytest.raises(Interrupted):
        crew.start(do_as_told, [1])


def test_workers_end_with_a_caller_that_is_killed() -> None:
    code = (
        "from dpps.adapters.processes.crew import ProcessCrew\n"
        "from dpps.testing.crew_contract import do_as_told\n"
        "if __name__ == '__main__':\n"
        "    crew = ProcessCrew(2)\n"
        "    crew.start(do_as_told, [1, 2]).results(lambda: False)\n"
        "    print('ready', flush=True)\n"
        "    crew.start(do_as_told, ['sleep', 'sleep']).results(lambda: False)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "ready\n"
        workers = processes_of(caller.pid)
        deadline = time.monotonic() + 60
        while len(workers) < 2 and time.monotonic() < deadline:
            workers = processes_of(caller.pid)
        caller.send_signal(signal.SIGKILL)
    assert workers
    wait_until_gone(workers)


def _pid(_: int) -> int:
    return os.getpid()
