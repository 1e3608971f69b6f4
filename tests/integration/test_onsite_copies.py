"""An on-site copy may be the only one: it goes when it is released, and for no other reason."""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.composition.rucio_accounts import connect_account

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 300


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain until {what}")
        time.sleep(0.2)


def _write_and_register(client: Any, root: Path, name: str, content: bytes) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    checksum = f"{zlib.adler32(content):08x}"
    file = {"scope": "acada", "name": name, "bytes": len(content), "adler32": checksum}
    client.add_replicas("CTAO-NORTH", [file])
    return path


def test_the_end_of_a_rule_does_not_take_the_copy_with_it(running_system: RunningSystem) -> None:
    client = connect_account(running_system.folder, "root")
    root = running_system.folder.storage("CTAO-NORTH")
    folder = f"/ctao/acada/DL0/test-{uuid.uuid4().hex}"
    kept_name, freed_name = f"{folder}/kept.dat", f"{folder}/freed.dat"
    kept = _write_and_register(client, root, kept_name, b"the only copy")
    freed = _write_and_register(client, root, freed_name, b"a copy of many")
    (rule,) = client.add_replication_rule([{"scope": "acada", "name": kept_name}], 1, "CTAO-NORTH")
    client.update_replication_rule(rule, {"lifetime": -1})
    _wait_for(lambda: not list(client.list_did_rules("acada", kept_name)), "the rule is over")
    client.set_tombstone([{"scope": "acada", "name": freed_name, "rse": "CTAO-NORTH"}])
    _wait_for(lambda: not freed.exists(), "the released copy is deleted")
    assert kept.read_bytes() == b"the only copy"
    (replicas,) = client.list_replicas([{"scope": "acada", "name": kept_name}])
    assert replicas["states"] == {"CTAO-NORTH": "AVAILABLE"}
