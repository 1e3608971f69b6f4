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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

from dpps.composition.data import build_catalogue
from dpps.data.query import parse_query
from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_FILES = 40


def ingest(handover: Path, state: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-c", "from dpps.cli.main import main; main()",
        "ingest", str(handover), "--json", "--state", str(state),
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


def ingest_service(dpps: Shell) -> psutil.Process | None:
    (service,) = [one for one in dpps("status")["services"] if one["name"] == "ingest"]
    return psutil.Process(service["pid"]) if service["state"] == "ready" else None


def test_a_killed_service_comes_back_and_finishes_and_is_the_only_one(
    running_system: RunningSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    dpps = Shell(running_system.folder.root, capsys)
    folder = running_system.folder.handover / uuid.uuid4().hex
    first = uuid.uuid4().int % 2_000_000_000
    service = ingest_service(dpps)
    assert service is not None
    held = dpps("ingest", str(running_system.folder.handover), exit_code=4)["error"]
    assert held["code"] == "handover-held"
    assert f"the ingest service (process {service.pid})" in held["message"]
    triggers = [
        announce(make_simtel(folder / f"{number}.simtel", run=first + number)) for number in range(_FILES)
    ]
    deadline = time.monotonic() + 120
    while all(trigger.is_symlink() for trigger in triggers) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = service.children(recursive=True)
    service.kill()
    _, orphans = psutil.wait_procs(workers, timeout=60)
    assert orphans == []
    while any(trigger.is_symlink() for trigger in triggers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(trigger.is_symlink() for trigger in triggers)
    found = dpps("data", "find", f"instance__obs_id >= {first} and instance__obs_id < {first + _FILES}")
    assert len(found) == _FILES
