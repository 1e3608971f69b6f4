"""Ingest on a real catalogue, killed in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps.composition.data import build_catalogue
from dpps.data.query import parse_query
from dpps.testing.handed_files import announce, make_simtel

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
