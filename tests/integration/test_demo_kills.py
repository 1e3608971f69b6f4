"""Killing each service once, at a recorded point of the demo, delays it and changes nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dpps.composition.state import StateFolder
from dpps.ops.demo.record import Progress
from dpps.ops.demo.steps import DemoResult, run_demo
from dpps.ops.lifecycle import stop
from dpps.ops.status import ServiceStatus, read_status

PIPELINES = Path(sys.prefix).parent / ".envs" / "pipelines" / "bin"
pytestmark = [
    pytest.mark.system,
    pytest.mark.pipelines,
    pytest.mark.rucio,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PIPELINES.is_dir(), reason="the pipelines environment is missing: make setup"),
]

KILLS = (
    # step of the demo, number of its progress report, service
    ("handover", 2, "ingest"),
    ("ingest", 0, "rucio-server"),
    ("preserve", 0, "transfers"),
    ("preserve", 1, "rucio-daemons"),
    ("process", 1, "workload"),
    ("process", 2, "postgres"),
    ("preserve-products", 0, "cache"),
)


@dataclass
class Killer:
    """Listens to the demo and kills by plan."""

    folder: StateFolder
    plan: dict[tuple[str, int], str]
    seen: Counter[str] = field(default_factory=Counter)
    killed: list[str] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        point = (progress.step, self.seen[progress.step])
        self.seen[progress.step] += 1
        if point in self.plan:
            self.kill(self.plan[point])

    def kill(self, service: str) -> None:
        number = self.status()[service].pid
        if number is None and service == "cache":
            return  # a part that this machine does not have; `status` says so
        assert number is not None, f"{service} does not run when it should be killed"
        os.kill(number, signal.SIGKILL)
        self.killed.append(service)

    def status(self) -> dict[str, ServiceStatus]:
        status = read_status(self.folder)
        assert status is not None
        return {service.name: service for service in status.services}


@dataclass(frozen=True)
class Outcome:
    """What must be the same with and without kills."""

    copies: dict[str, int]
    content_of_inputs: dict[str, str]
    tables: dict[str, dict[str, str]]


def outcome(result: DemoResult, folder: StateFolder) -> Outcome:
    rows = result.record.products
    assert all(copy.verified for row in rows for copy in row.copies)
    files = sorted(str(path) for path in (folder.root / "pictures").rglob("*.h5"))
    assert len(files) == 2
    script = Path(__file__).with_name("event_tables.py")
    printed = subprocess.run(
        [str(PIPELINES / "python"), str(script), *files], check=True, capture_output=True, text=True
    )
    return Outcome(
        copies={row.lfn: len(row.copies) for row in rows},
        content_of_inputs={row.lfn: row.adler32 for row in rows if row.level == "DL0"},
        tables=json.loads(printed.stdout),
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    subprocess.run(
        [str(PIPELINES / "dpps-simpipe-toy"), "--output", str(folder), "--events", "5", "--seed", "7"],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.verifies_usecase("UC-000-1")
def test_killing_each_service_once_changes_nothing(night: Path, state_root: Path) -> None:
    calm_folder = StateFolder(state_root / "calm")
    calm = outcome(run_demo(calm_folder, night, lambda _progress: None), calm_folder)

    folder = StateFolder(state_root / "killed")
    killer = Killer(folder, {(step, number): service for step, number, service in KILLS})
    try:
        result = run_demo(folder, night, killer, keep=True)
        services = killer.status()
    finally:
        stop(folder, report=lambda _service: None)

    wanted = [service for _, _, service in KILLS if service in killer.killed or service != "cache"]
    assert sorted(killer.killed) == sorted(wanted)
    assert {name for name in killer.killed if services[name].restarts == 0} == set()
    disturbed = outcome(result, folder)
    assert disturbed.copies == calm.copies
    assert disturbed.content_of_inputs == calm.content_of_inputs
    assert disturbed.tables == calm.tables
    assert set(disturbed.copies.values()) == {2}
