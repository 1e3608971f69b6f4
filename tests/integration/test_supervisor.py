"""Starting, stopping and surviving: the supervisor with a real PostgreSQL under it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict, NotFound, Unavailable
from dpps.ops import lifecycle, processes
from dpps.ops.lock import hold, is_held, supervisors
from dpps.ops.service import ServiceState
from dpps.ops.status import ServiceStatus, read_status

pytestmark = pytest.mark.postgresql

ONLY = ["postgres"]
PATIENCE_SECONDS = 60


def _silent(_service: ServiceStatus) -> None:
    """Report nothing."""


def _wait_for[T](question: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def folder(state_root: Path, request: pytest.FixtureRequest) -> Iterator[StateFolder]:
    """A state folder of this test's own; whatever runs in it is stopped at the end."""
    folder = StateFolder(state_root / request.node.name)
    yield folder
    with contextlib.suppress(NotFound):
        lifecycle.stop(folder, report=_silent)


def _start(folder: StateFolder) -> lifecycle.Started:
    return lifecycle.start(folder, report=_silent, only=ONLY)


def _postgres(folder: StateFolder) -> ServiceStatus:
    status = read_status(folder)
    assert status is not None
    return next(service for service in status.services if service.name == "postgres")


def _ours(folder: StateFolder) -> list[psutil.Process]:
    return processes.leftovers(folder.root, folder.database)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # its new parent may not have noticed yet
    except psutil.NoSuchProcess:
        return True


def _query(folder: StateFolder, database: str) -> object:
    import psycopg

    url = Instance.load(folder).database(folder, database).replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        assert row is not None
        return row[0]


def test_up_twice_and_down_twice(folder: StateFolder) -> None:
    first = _start(folder)
    assert not first.already_running
    assert _query(folder, "rucio") == "rucio"
    assert _query(folder, "dpps") == "dpps"
    pid = _postgres(folder).pid

    again = _start(folder)
    assert again.already_running
    assert _postgres(folder).pid == pid

    assert lifecycle.stop(folder, report=_silent)
    assert not _ours(folder)
    assert not lifecycle.stop(folder, report=_silent)

    started = _start(folder)
    assert not started.already_running
    assert _query(folder, "dpps") == "dpps"


def test_a_killed_service_is_started_again(folder: StateFolder) -> None:
    _start(folder)
    victim = _postgres(folder).pid
    assert victim is not None
    psutil.Process(victim).kill()
    healed = _wait_for(
        lambda: ((now := _postgres(folder)).state is ServiceState.READY and now.pid != victim and now) or None
    )
    assert healed.restarts >= 1
    assert _query(folder, "dpps") == "dpps"


def test_nothing_outlives_a_killed_supervisor(folder: StateFolder) -> None:
    supervisor = psutil.Process(_start(folder).status.supervisor_pid)
    before = {process.pid for process in _ours(folder)}
    assert len(before) > 1
    supervisor.kill()
    _wait_for(lambda: not _ours(folder))

    status = read_status(folder)
    assert status is not None
    assert not status.running
    assert not status.ready
    assert not _start(folder).already_running
    assert _query(folder, "dpps") == "dpps"


def test_what_a_killed_supervisor_leaves_is_ended_by_the_next_up(folder: StateFolder) -> None:
    """A helper that detached itself from its service: known by its mark."""
    _start(folder)
    lifecycle.stop(folder, report=_silent)
    marked = {**os.environ, processes.MARK: str(folder.root), processes.SERVICE_MARK: "workload"}
    helper = subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True)
    try:
        _start(folder)
        assert helper.poll() is not None
    finally:
        helper.kill()
        helper.wait()


def test_two_supervisors_never_share_a_folder(folder: StateFolder) -> None:
    first = _start(folder)
    lock = os.open(folder.run / "lock", os.O_RDWR)
    try:
        answer = subprocess.run(
            [sys.executable, "-c", "import fcntl, sys; fcntl.flock(int(sys.argv[1]), 6)", str(lock)],
            pass_fds=[lock],
            capture_output=True,
        )
    finally:
        os.close(lock)
    assert b"BlockingIOError" in answer.stderr
    assert _start(folder).status.supervisor_pid == first.status.supervisor_pid


@pytest.mark.parametrize("record", ["missing", "of another process"])
def test_down_ends_the_supervisor_whatever_is_written_about_it(folder: StateFolder, record: str) -> None:
    supervisor = psutil.Process(_start(folder).status.supervisor_pid)
    written = folder.run / "status.json"
    if record == "missing":
        written.unlink()
    else:
        written.write_text(json.dumps(json.loads(written.read_text()) | {"supervisor_pid": os.getpid()}))
    assert lifecycle.stop(folder, report=_silent)
    assert _has_ended(supervisor)
    assert not is_held(folder)
    assert not _ours(folder)


def test_down_does_not_return_before_a_supervisor_that_hangs_is_gone(folder: StateFolder) -> None:
    supervisor = psutil.Process(_start(folder).status.supervisor_pid)
    supervisor.send_signal(signal.SIGSTOP)
    assert lifecycle.stop(folder, report=_silent, patience_seconds=1)
    assert _has_ended(supervisor)
    assert not is_held(folder)
    assert not _ours(folder)
    assert not _start(folder).already_running
    assert _query(folder, "dpps") == "dpps"


def test_down_does_not_say_stopped_while_another_holds_the_folder(folder: StateFolder) -> None:
    _start(folder)
    lifecycle.stop(folder, report=_silent)
    with hold(folder), pytest.raises(Unavailable, match="another command") as refused:
        lifecycle.stop(folder, report=_silent, patience_seconds=0.5)
    assert refused.value.code == "folder-held"
    assert not lifecycle.stop(folder, report=_silent)


def _up(folder: StateFolder) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from dpps.cli.main import main; main()", "up", "--only", "postgres",
         "--state", str(folder.root)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _status_of_the_folder(folder: StateFolder) -> str | None:
    """Return how far a start has come."""
    with contextlib.suppress(NotFound):
        status = read_status(folder)
        if status is not None and status.running:
            return "services"
    return "supervisor" if supervisors(folder) else "lock" if is_held(folder) else None


@pytest.mark.parametrize("moment", ["lock", "supervisor", "services"])
def test_an_up_that_is_killed_leaves_nothing_that_down_does_not_end(folder: StateFolder, moment: str) -> None:
    up = _up(folder)
    _wait_for(lambda: _status_of_the_folder(folder) == moment or None)
    up.kill()
    up.wait()
    with contextlib.suppress(NotFound):  # killed before there was a system
        lifecycle.stop(folder, report=_silent)
    assert not supervisors(folder)
    assert not is_held(folder)
    assert not _ours(folder)


def test_up_goes_on_when_another_up_was_killed(folder: StateFolder) -> None:
    up = _up(folder)
    _wait_for(lambda: is_held(folder) or None)
    up.kill()
    up.wait()
    assert _start(folder).status.ready
    assert _query(folder, "dpps") == "dpps"


def test_up_waits_for_a_down_under_way_and_starts(folder: StateFolder) -> None:
    first = psutil.Process(_start(folder).status.supervisor_pid)
    first.terminate()
    started = _start(folder)
    assert started.status.ready
    assert started.status.supervisor_pid != first.pid
    assert _query(folder, "dpps") == "dpps"


def test_a_recorded_port_that_a_stranger_took_is_named(folder: StateFolder) -> None:
    _start(folder)
    lifecycle.stop(folder, report=_silent)
    endpoint = Instance.load(folder).endpoint("postgres")
    with (
        socket.create_server((endpoint.host, endpoint.port)),
        pytest.raises(Conflict, match=f"port {endpoint.port} of service postgres") as refused,
    ):
        _start(folder)
    assert f"process {os.getpid()}" in refused.value.message
    assert not _ours(folder)
    _start(folder)


def test_a_service_that_cannot_start_is_named_with_its_last_words(folder: StateFolder) -> None:
    _start(folder)
    lifecycle.stop(folder, report=_silent)
    settings = folder.database / "postgresql.auto.conf"
    good = settings.read_text()
    settings.write_text("nonsense = 1\n")
    with pytest.raises(Unavailable, match="postgres does not start") as failed:
        _start(folder)
    assert 'unrecognized configuration parameter "nonsense"' in failed.value.message
    assert failed.value.exit_code != 0
    assert not _ours(folder)

    settings.write_text(good)
    _start(folder)


def test_no_secret_is_on_a_command_line(folder: StateFolder) -> None:
    _start(folder)
    secrets = [path.read_text() for path in (folder.root / "secrets").iterdir()]
    commands = " ".join(" ".join(process.cmdline()) for process in _ours(folder))
    assert secrets
    assert not [secret for secret in secrets if secret in commands]
    assert not [secret for secret in secrets if secret in folder.log("postgres").read_text()]


def test_the_supervisor_tells_its_metrics(folder: StateFolder) -> None:
    status = _start(folder).status
    text = httpx.get(status.metrics_url).text
    assert 'dpps_service_up{service="postgres"} 1.0' in text
    assert 'dpps_service_restarts_total{service="postgres"} 0.0' in text
    memory = next(line for line in text.splitlines() if line.startswith("dpps_service_memory_bytes{"))
    assert float(memory.split()[-1]) > 1024**2


def test_the_command_line_tells_state_and_exit_code(folder: StateFolder) -> None:
    def dpps(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from dpps.cli.main import main; main()", *arguments,
             "--state", str(folder.root), "--json"],
            capture_output=True, text=True,
        )  # fmt: skip

    unknown = dpps("status")
    assert unknown.returncode == 3
    assert json.loads(unknown.stderr)["error"]["code"] == "no-system"

    assert dpps("up", "--only", "postgres").returncode == 0
    running = dpps("status")
    assert running.returncode == 0
    shown = json.loads(running.stdout)
    assert shown["ready"]
    assert shown["services"][0]["memory_bytes"] > 0

    lines = [json.loads(line) for line in dpps("logs", "supervisor").stdout.splitlines()]
    assert {line["service"] for line in lines} == {"supervisor"}

    assert dpps("down").returncode == 0
    assert dpps("status").returncode == 1
