"""The short case of the fault bed: each service is killed under load, files are damaged and repeated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dpps.domain.errors import NotFound
from dpps.ops.programs import environment_python, postgres_programs

pytestmark = [pytest.mark.system, pytest.mark.rucio, pytest.mark.timeout(900)]

INVARIANTS = {
    "no accepted file is without a good copy",
    "nothing wrong is served",
    "everything reaches its policy",
    "nothing dark remains",
    "everything is served in the end",
}
DAMAGES = {
    ("source damaged", "flipped"),
    ("source damaged", "truncated"),
    ("duplicate", "same content"),
    ("duplicate", "other content"),
    ("copy at rest", "flipped"),
}


@pytest.fixture(autouse=True)
def _a_system_is_possible() -> None:
    try:
        environment_python("rucio")
        postgres_programs()
    except NotFound as missing:
        pytest.skip(f"{missing.message}; {missing.next_step}")


@pytest.mark.verifies_requirement("C-BDMS-0330")
def test_kills_and_damage_under_load_break_no_invariant(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dpps.testing.faults", "--few", "--seconds", "0", "--seed", "1"]
    options = ["--rate", "0.5", "--patience", "400", "--output", str(tmp_path)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=False)

    assert (tmp_path / "fault-run.json").exists(), run.stderr
    report = json.loads((tmp_path / "fault-run.json").read_text())
    assert (run.returncode, report["violations"]) == (0, []), run.stderr
    assert {name for name, checks in report["checks"].items() if checks} >= INVARIANTS
    injected = {(one["kind"], one["target"]) for one in report["faults"] if not one["skipped"]}
    killed = {target for kind, target in injected if kind == "killed"}
    assert killed >= {"postgres", "rucio-server", "rucio-daemons", "transfers", "ingest", "preservation"}
    assert injected >= DAMAGES
    assert report["settled_seconds"] is not None
    assert report["files"]["quarantined"] == 2
