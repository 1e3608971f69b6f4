"""A worker needs its bundle, the storages and the API: no database, no state folder, no configuration."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.domain.work import ExitReason, JobState, TaskState
from dpps.services.workload.application import build_application
from dpps.services.workload.driver import AgentDriver
from dpps.testing.engine_contract import eventually
from dpps.testing.small_workload import (
    SmallWorkload,
    copy_production,
    serving,
    simulated,
    small_storages,
)
from dpps.workload.ports import JobEnd

_GUARD = """
import os, sys

STATE, PORT, RECORD = os.environ["FORBIDDEN_STATE"], int(os.environ["API_PORT"]), os.environ["RECORD"]
FOREIGN = {"sqlalchemy", "psycopg", "psycopg2", "alembic", "rucio", "parsl"}


def hook(event, arguments):
    if event == "socket.connect" and arguments[1] != ("127.0.0.1", PORT):
        refuse(f"connects to {arguments[1]}")
    elif event == "import" and arguments[0].split(".")[0] in FOREIGN:
        refuse(f"imports {arguments[0]}")
    elif event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(STATE):
        refuse(f"opens {arguments[0]}")


def refuse(what):
    descriptor = os.open(RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, (what + chr(10)).encode())
    os.close(descriptor)
    raise PermissionError(what)


sys.addaudithook(hook)
"""


class _NeverEnding(MemoryEngine):
    """Keeps bundles for the test to run."""

    def collect(self) -> list[JobEnd]:
        """Return nothing: the jobs end when the test has run them."""
        return []


class Api:
    """The workload API over stores in memory; its jobs are run by the test."""

    def __init__(self, folder: Path, port: int) -> None:
        self.store = MemoryWorkStore()
        self.bundles: list[str] = []
        self.port = port
        self.system = SmallWorkload(
            datasets=MemoryNamedDatasets(),
            folder=folder,
            catalogue=MemoryCatalogue(small_storages(folder)),
            store=self.store,
            engine=_NeverEnding(self.bundles.append),
            report_base_url=f"http://127.0.0.1:{port}",
        )
        driver = AgentDriver(self.system.context, prepare=lambda: None, on_death=lambda: None)
        self.application: FastAPI = build_application(self.system.context, driver, self.system.tokens.verify)

    def next_bundle(self, folder: Path) -> Path:
        """Let the agent make a job; return the file of its bundle."""

        def made() -> bool:
            self.system.agent.step()
            return bool(self.bundles)

        assert eventually(made)
        path = folder / "bundle.json"
        path.write_text(self.bundles.pop(0))
        return path


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    made = Api(tmp_path / "system", port)
    with serving(made.application, port):
        yield made
    made.system.engine.stop()


def run_confined(bundle: Path, folder: Path, port: int, state: Path) -> subprocess.CompletedProcess[str]:
    """Run the job program with nothing but its bundle, the storages and the API in reach."""
    home = folder / "home"
    home.mkdir()
    (home / "sitecustomize.py").write_text(_GUARD)
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.defpath,
        "PYTHONPATH": str(home),
        "FORBIDDEN_STATE": str(state),
        "API_PORT": str(port),
        "RECORD": str(folder / "violations"),
    }
    command = [sys.executable, "-m", "dpps.services.job", str(bundle)]
    if os.geteuid() == 0 and (setpriv := shutil.which("setpriv")):
        # Without capabilities the permission bits of the state folder count for root too.
        command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", *command]
    return subprocess.run(
        command, env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def sealed_state(tmp_path: Path) -> Iterator[Path]:
    """A state folder with a secret that nobody may enter."""
    state = tmp_path / "state"
    (state / "secrets").mkdir(parents=True)
    (state / "secrets" / "postgres").write_text("secret")
    state.chmod(0)
    yield state
    state.chmod(0o700)


def test_a_confined_job_runs_and_wins(api: Api, tmp_path: Path, sealed_state: Path) -> None:
    api.system.archive("run1", b"events\n", simulated(1))
    (tmp_path / "in").mkdir()
    api.system.submit(copy_production(tmp_path / "in"))
    done = run_confined(api.next_bundle(tmp_path), tmp_path, api.port, sealed_state)
    assert not (tmp_path / "violations").exists(), (tmp_path / "violations").read_text()
    assert done.returncode == 0, done.stderr
    (job,) = api.store.jobs("night.dl1.1")
    assert (job.state, job.won) == (JobState.SUCCEEDED, True)
    assert job.report is not None
    assert job.report.wall_seconds > 0
    assert "copying" in job.report.log_tail
    assert api.store.task("night.dl1.1").state is TaskState.PUBLISHING
    assert list((tmp_path / "home").glob("dpps-job-*")) == [], "the sandbox is gone"


def test_the_confinement_is_real(tmp_path: Path, sealed_state: Path) -> None:
    for code in (
        f"open({str(sealed_state / 'secrets' / 'postgres')!r})",
        "import sqlalchemy",
        "import socket; socket.create_connection(('127.0.0.1', 5432))",
    ):
        folder = tmp_path / str(abs(hash(code)))
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_GUARD)
        environment = {
            "PYTHONPATH": str(folder),
            "FORBIDDEN_STATE": str(sealed_state),
            "API_PORT": "1",
            "RECORD": str(folder / "violations"),
        }
        tried = subprocess.run(
            [sys.executable, "-c", code], env=environment, check=False, capture_output=True
        )
        assert tried.returncode != 0
        assert (folder / "violations").exists()


def test_a_job_of_another_attempt_is_refused(api: Api, tmp_path: Path, sealed_state: Path) -> None:
    """The token of one job does not open the reports of another."""
    api.system.archive("run1", b"events\n", simulated(1))
    api.system.archive("run2", b"events\n", simulated(2))
    (tmp_path / "in").mkdir()
    api.system.submit(copy_production(tmp_path / "in"))
    path = api.next_bundle(tmp_path)
    path.write_text(path.read_text().replace("/jobs/night.dl1.1.1", "/jobs/night.dl1.2.1"))
    done = run_confined(path, tmp_path, api.port, sealed_state)
    assert done.returncode == 5, done.stderr
    assert "may not report" in done.stderr
    assert all(job.report is None for job in api.store.jobs("night.dl1.1"))


def test_a_failing_payload_is_reported(api: Api, tmp_path: Path, sealed_state: Path) -> None:
    api.system.archive("run1", b"events\n", simulated(1))
    (tmp_path / "in").mkdir()
    api.system.submit(copy_production(tmp_path / "in", exit_code=3))
    done = run_confined(api.next_bundle(tmp_path), tmp_path, api.port, sealed_state)
    assert done.returncode == 1, done.stderr
    (job,) = api.store.jobs("night.dl1.1")
    assert (job.state, job.exit_reason) == (JobState.FAILED, ExitReason.FAILED)
    assert job.report is not None
    assert job.report.exit_code == 3


def test_a_missing_environment_is_reported(api: Api, tmp_path: Path, sealed_state: Path) -> None:
    api.system.archive("run1", b"events\n", simulated(1))
    (tmp_path / "in").mkdir()
    path = copy_production(tmp_path / "in")
    path.write_text(path.read_text().replace("environment: core", "environment: nowhere"))
    api.system.submit(path)
    done = run_confined(api.next_bundle(tmp_path), tmp_path, api.port, sealed_state)
    assert done.returncode == 1, done.stderr
    (job,) = api.store.jobs("night.dl1.1")
    assert job.exit_reason is ExitReason.ENVIRONMENT
    assert "nowhere" in job.detail
