"""An on-site copy may be the only one: it goes when it is released, and for no other reason."""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dpps.composition.preservation import build_preservation
from dpps.composition.principals import local_principal
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.state import StateFolder
from dpps.composition.why import open_why
from dpps.data.audit.records import CopyEvidence, CopyOutcome
from dpps.data.preservation.releasing import Release
from dpps.data.why.findings import Finding
from dpps.data.why.observing import why
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn

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


def _write_and_register(client: Any, root: Path, name: str, content: bytes, rse: str = "CTAO-NORTH") -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    checksum = f"{zlib.adler32(content):08x}"
    file = {"scope": "acada", "name": name, "bytes": len(content), "adler32": checksum}
    client.add_replicas(rse, [file])
    return path


def test_the_end_of_a_rule_does_not_take_the_copy_with_it(running_system: RunningSystem) -> None:
    client = connect_account(running_system.folder, "root")
    root = running_system.folder.storage("CTAO-NORTH")
    folder = f"/ctao/acada/DL0/test-{uuid.uuid4().hex}"
    kept_name, pushed_name = f"{folder}/kept.dat", f"{folder}/pushed.dat"
    kept = _write_and_register(client, root, kept_name, b"the only copy")
    pushed = _write_and_register(client, root, pushed_name, b"nobody knows of another one")
    (rule,) = client.add_replication_rule([{"scope": "acada", "name": kept_name}], 1, "CTAO-NORTH")
    client.update_replication_rule(rule, {"lifetime": -1})
    _wait_for(lambda: not list(client.list_did_rules("acada", kept_name)), "the rule is over")
    client.set_tombstone([{"scope": "acada", "name": pushed_name, "rse": "CTAO-NORTH"}])
    url = running_system.instance.database(running_system.folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as database:
        _wait_for(
            lambda: _row(database, pushed_name) == ("A", None), "the copy that nobody released is given back"
        )
    assert (kept.read_bytes(), pushed.read_bytes()) == (b"the only copy", b"nobody knows of another one")
    for name in (kept_name, pushed_name):
        (replicas,) = client.list_replicas([{"scope": "acada", "name": name}])
        assert replicas["states"] == {"CTAO-NORTH": "AVAILABLE"}


def _why(folder: StateFolder, lfn: Lfn) -> dict[str, Finding]:
    """Return what is said of a file, by code."""
    with open_why(folder) as parts:
        return {one.code: one for one in why(local_principal(folder), parts, lfn.name).findings}


def _row(database: psycopg.Connection[Any], name: str) -> tuple[Any, ...] | None:
    """Return state and tombstone of an on-site copy in the catalogue."""
    return database.execute(
        "SELECT r.state, r.tombstone FROM replicas r JOIN rses ON rses.id = r.rse_id"
        " WHERE r.scope = 'acada' AND r.name = %s AND rses.rse = 'CTAO-NORTH'",
        [name],
    ).fetchone()


def test_a_released_copy_goes_only_while_the_proof_of_the_others_stands(
    running_system: RunningSystem,
) -> None:
    folder, data = running_system.folder, b"a copy of three"
    client, parts = connect_account(folder, "root"), build_preservation(folder)
    lfn = Lfn(f"/ctao/acada/DL0/test-{uuid.uuid4().hex}/released.dat")
    paths = {
        rse: _write_and_register(client, folder.storage(rse), lfn.name, data, rse)
        for rse in ("CTAO-NORTH", "CSCS", "PIC")
    }
    content = FileContent(size_bytes=len(data), adler32=f"{zlib.adler32(data):08x}")
    now = datetime.now(UTC)
    proven = {
        rse: CopyEvidence(
            lfn=lfn, rse=rse, outcome=CopyOutcome.INTACT, verified_at=now, intact_since=now, content=content
        )
        for rse in ("CSCS", "PIC")
    }
    release = Release(
        lfn=lfn,
        rse="CTAO-NORTH",
        dataset=lfn.parent,
        content=content,
        relied_on=("CSCS", "PIC"),
        released_at=now,
    )

    def let_it_go() -> None:
        parts.releases.note([release])
        client.set_tombstone([{"scope": "acada", "name": lfn.name, "rse": "CTAO-NORTH"}])

    def is_given_back() -> bool:
        return _row(database, lfn.name) == ("A", None) and not parts.releases.of([release.key])

    url = running_system.instance.database(folder, "rucio").replace("+psycopg", "")
    with closing(parts), psycopg.connect(url, autocommit=True) as database:
        parts.evidence.record([proven["CSCS"], replace(proven["PIC"], outcome=CopyOutcome.DAMAGED)])
        let_it_go()
        _wait_for(is_given_back, "the copy is given back: a reading has shown damage elsewhere")
        parts.evidence.record([proven["PIC"]])
        away = paths["PIC"].rename(paths["PIC"].with_name("away"))
        let_it_go()
        _wait_for(is_given_back, "the copy is given back: another one is not there")
        assert paths["CTAO-NORTH"].read_bytes() == data
        away.rename(paths["PIC"])
        parts.releases.note([release])
        parts.evidence.record([replace(proven["PIC"], outcome=CopyOutcome.DAMAGED)])
        paths["CTAO-NORTH"].write_bytes(b"short")
        told = _why(folder, lfn)["deletion-waits"]
        assert "the copy at PIC was damaged" in told.cause
        assert "whether this copy is whole cannot be told" in told.cause
        assert "CSCS" not in told.cause
        paths["CTAO-NORTH"].write_bytes(data)
        parts.evidence.record([proven["PIC"]])
        let_it_go()
        _wait_for(lambda: not paths["CTAO-NORTH"].exists(), "the copy is deleted: the others are proven")
