"""Ingest on a real catalogue, killed in the middle."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from dpps.composition.data import build_catalogue
from dpps.data.query import parse_query
from dpps.ops.status import read_status
from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel

if TYPE_CHECKING:
    from dpps.composition.state import StateFolder
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_FILES = 40


def ingest(handover: Path, state: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-c", "from dpps.cli.main import main; main()",
        "ingest", str(handover), "--json", "--state", str(state), *options,
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("uploads", [1, _FILES // 2, _FILES])
def test_a_killed_pass_is_finished_by_the_next_without_loss_or_repetition(
    running_system: RunningSystem, tmp_path: Path, uploads: int
) -> None:
    first = uuid.uuid4().int % 2_000_000_000
    state, storage = running_system.folder.root, running_system.folder.storage("CTAO-NORTH")
    triggers = [
        announce(make_simtel(tmp_path / f"{number}.simtel", run=first + number)) for number in range(_FILES)
    ]
    names = [f"_ob{first + number:010d}_" for number in range(_FILES)]

    def uploaded() -> int:
        there = [path.name for path in storage.rglob("sim_evt_sub_AirShowerSim_*.simtel")]
        return sum(any(name in one for one in there) for name in names)

    with ingest(tmp_path, state) as process:
        deadline = time.monotonic() + 120
        while uploaded() < uploads and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    killed = [trigger for trigger in triggers if trigger.is_symlink()]
    with ingest(tmp_path, state) as process:
        results = json.loads(process.communicate()[0])
    assert process.returncode == 0
    assert len(results) == len(killed)
    assert not any(trigger.is_symlink() for trigger in triggers)
    query = parse_query(f"instance__obs_id >= {first} and instance__obs_id < {first + _FILES}")
    catalogue = build_catalogue(running_system.folder, "reader")
    found = catalogue.files(catalogue.find(query))
    assert len(found) == _FILES
    for file in found:
        assert file is not None
        assert file.content.size_bytes == (tmp_path / "0.simtel").stat().st_size
    (dataset,) = {file.dataset for file in found if file is not None}
    assert dataset is not None
    assert max(rule.copies for rule in catalogue.rules(dataset)) == 2


def test_catalogue_calls_grow_with_batches_not_with_files(
    running_system: RunningSystem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dpps = Shell(running_system.folder.root, capsys)
    send, sent = requests.Session.send, list[str]()

    def noted(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        sent.append(f"{request.method} {request.url}")
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", noted)
    original = make_raw_stream(tmp_path / "original.fits.fz")
    calls: list[int] = []
    for number, files in enumerate((1, 200)):
        root = tmp_path / f"handover-{number}"
        night = root / f"ctao/acada/DL0/LSTN-01/ctao-north/event/{uuid.uuid4().hex}"
        night.mkdir(parents=True)
        for chunk in range(files):
            announce(Path(shutil.copy(original, night / f"CHUNK{chunk:03d}.fits.fz")))
        sent.clear()
        results = dpps("ingest", str(root), "--workers", "2")
        assert [one["outcome"] for one in results] == ["ingested"] * files
        calls.append(len(sent))
    # The first may have made the containers above its dataset too.
    assert calls[1] <= calls[0] + 5, Counter(sent).most_common()


def ingest_service(folder: StateFolder) -> psutil.Process:
    """Return the service when it is ready; it may have ended a moment ago."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        status = read_status(folder)
        for one in status.services if status is not None else ():
            if (one.name, one.state) == ("ingest", "ready") and one.pid is not None:
                return psutil.Process(one.pid)
        time.sleep(0.2)
    pytest.fail("the ingest service is not ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_ended_comes_back_and_finishes_and_is_the_only_one(
    running_system: RunningSystem, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    dpps = Shell(running_system.folder.root, capsys)
    folder = running_system.folder.handover / uuid.uuid4().hex
    first = uuid.uuid4().int % 2_000_000_000
    service = ingest_service(running_system.folder)
    held = dpps("ingest", str(running_system.folder.handover), exit_code=4)["error"]
    assert held["code"] == "handover-held"
    assert f"the ingest service (process {service.pid})" in held["message"]
    triggers = [
        announce(make_simtel(folder / f"{run}.simtel", run=run)) for run in range(first, first + _FILES)
    ]
    deadline = time.monotonic() + 120
    while all(trigger.is_symlink() for trigger in triggers) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = service.children(recursive=True)
    service.send_signal(number)
    _, left = psutil.wait_procs([service, *workers], timeout=60)
    assert left == []
    while any(trigger.is_symlink() for trigger in triggers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(trigger.is_symlink() for trigger in triggers)
    found = dpps("data", "find", f"instance__obs_id >= {first} and instance__obs_id < {first + _FILES}")
    assert len(found) == _FILES


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Let no process outlive its test."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_watching_takes_files_as_they_come_and_stops_cleanly_in_the_middle(
    running_system: RunningSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dpps = Shell(running_system.folder.root, capsys)
    first = uuid.uuid4().int % 2_000_000_000
    with ended(ingest(tmp_path, running_system.folder.root, "--watch", "--workers", "2")) as process:
        assert process.stdout is not None
        announce(make_simtel(tmp_path / "first.simtel", run=first))
        told = json.loads(process.stdout.readline())
        assert (told["outcome"], told["path"]) == ("ingested", str(tmp_path / "first.simtel"))
        held = dpps("ingest", str(tmp_path), exit_code=4)["error"]
        assert f"dpps ingest --watch (process {process.pid})" in held["message"]
        workers = psutil.Process(process.pid).children(recursive=True)
        for run in range(first + 1, first + _FILES):
            announce(make_simtel(tmp_path / f"{run}.simtel", run=run))
        assert json.loads(process.stdout.readline())["outcome"] == "ingested"
        process.terminate()
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert all(json.loads(line)["outcome"] == "ingested" for line in rest.splitlines())
    _, left = psutil.wait_procs(workers, timeout=60)
    assert left == []
    waiting = list(tmp_path.glob("*.trigger"))
    assert len(dpps("ingest", str(tmp_path))) == len(waiting)
    found = dpps("data", "find", f"instance__obs_id >= {first} and instance__obs_id < {first + _FILES}")
    assert len(found) == _FILES
