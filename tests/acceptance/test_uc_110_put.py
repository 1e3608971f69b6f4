"""Files of people and jobs, seen from outside: stored, found, retrieved; temporary ones go by themselves."""

from __future__ import annotations

import json
import os
import time
import uuid
import zlib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.composition.archive import open_archive
from dpps.data.storing import StoreOutcome
from dpps.testing.command_line import Shell

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 300.0
_NOT_AUTHORIZED = 5


@pytest.fixture
def obs_id() -> int:
    """A number that no other file of the system has."""
    return uuid.uuid4().int % 2_000_000_000


@pytest.fixture
def product(tmp_path: Path, obs_id: int) -> Path:
    """What someone says of a product, in a file."""
    path = tmp_path / "product.json"
    said = {
        "data": {"level": "DL3", "division": "Event", "association": "Subarray", "type": "AirShower"},
        "instance": {"site_id": "CTAO-North", "obs_id": obs_id, "facility_name": "CTAO"},
        "curation": {"release": "DataPipe/Observation"},
        "model": {"name": "GADF", "version": "0.3"},
    }
    path.write_text(json.dumps(said))
    return path


def _new_file(folder: Path, name: str) -> tuple[Path, bytes]:
    path, data = folder / name, os.urandom(10_000)
    path.write_bytes(data)
    return path, data


@pytest.mark.verifies_usecase("UC-110-1.1.3")
def test_a_product_that_someone_brings_is_stored_found_and_retrieved(
    dpps: Shell, running_system: RunningSystem, tmp_path: Path, product: Path, obs_id: int
) -> None:
    path, data = _new_file(tmp_path, "events.fits")
    (dry,) = dpps("data", "put", str(path), "--product", str(product), "--dry-run")
    assert dry["outcome"] == "accepted"
    assert dpps("data", "find", f"instance__obs_id = {obs_id}") == []

    (stored,) = dpps("data", "put", str(path), "--product", str(product))
    assert stored["outcome"] == "stored"
    first_copy = running_system.folder.storage(stored["rse"]) / stored["lfn"].removeprefix("/")
    assert first_copy.read_bytes() == data
    (found,) = dpps("data", "find", f"data__level = 'DL3' and instance__obs_id = {obs_id}")
    assert (found["lfn"], found["bytes"]) == (stored["lfn"], len(data))
    assert found["adler32"] == f"{zlib.adler32(data):08x}"
    assert found["metadata"]["curation__release"] == "DataPipe/Observation"
    assert dpps("data", "info", stored["lfn"])["rules"]

    (got,) = dpps("data", "get", stored["lfn"], "-o", str(tmp_path / "got"))
    assert Path(got["path"]).read_bytes() == data
    (again,) = dpps("data", "put", str(path), "--product", str(product))
    assert again["outcome"] == "known"


@pytest.mark.verifies_usecase("UC-110-1.1.3")
def test_the_same_from_python(
    running_system: RunningSystem, tmp_path: Path, product: Path, obs_id: int
) -> None:
    path, data = _new_file(tmp_path, "events.fits")
    archive = open_archive(running_system.folder.root)
    (stored,) = archive.put([path], metadata=json.loads(product.read_text()))
    assert stored.outcome is StoreOutcome.STORED
    assert stored.lfn is not None
    (found,) = archive.find(f"instance__obs_id = {obs_id}")
    assert found.lfn == stored.lfn
    assert archive.info(stored.lfn.name).rules
    (got,) = archive.get([stored.lfn.name], tmp_path / "got")
    assert got.path is not None
    assert got.path.read_bytes() == data
    path.write_bytes(b"others")
    (taken,) = archive.put([path], metadata=json.loads(product.read_text()))
    assert taken.outcome is StoreOutcome.REFUSED


@pytest.mark.verifies_usecase("UC-110-1.1.3")
def test_the_archive_of_raw_data_is_closed_to_who_may_not_ingest(
    running_system: RunningSystem,
    tmp_path: Path,
    product: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dpps.cli.main import run

    path, _ = _new_file(tmp_path, "x.fits.fz")
    people = running_system.folder.config / "principals.yaml"
    before = people.read_text() if people.exists() else None
    people.write_text((before or "") + "pam: [production-manager]\n")
    monkeypatch.setenv("DPPS_PRINCIPAL", "pam")
    try:
        lfn = f"/ctao/acada/DL0/{uuid.uuid4().hex}.fits.fz"
        arguments = ["data", "put", str(path), "--product", str(product), "--lfn", lfn, "--json"]
        code = run([*arguments, "--state", str(running_system.folder.root)])
    finally:
        people.unlink() if before is None else people.write_text(before)
    (refused,) = json.loads(capsys.readouterr().out)
    assert code == _NOT_AUTHORIZED
    assert refused["outcome"] == "refused"
    assert not list(running_system.folder.storage("CSCS").rglob(Path(lfn).name))


@pytest.mark.verifies_usecase("UC-110-1.1.3")
def test_a_temporary_file_goes_when_its_time_is_over(
    dpps: Shell, running_system: RunningSystem, tmp_path: Path
) -> None:
    path, data = _new_file(tmp_path, f"scratch-{uuid.uuid4().hex}.h5")
    (stored,) = dpps("data", "put", str(path), "--temporary", "--lifetime", "2 days")
    copy = running_system.folder.storage(stored["rse"]) / stored["lfn"].removeprefix("/")
    assert copy.read_bytes() == data
    (kept,) = dpps("data", "extend", stored["lfn"], "--lifetime", "9 days")
    assert kept["expires_at"] > stored["expires_at"]
    archive = open_archive(running_system.folder.root)
    archive.extend([stored["lfn"]], timedelta(seconds=1))
    _await(lambda: not copy.exists(), f"{copy} to be deleted")
    _await(lambda: stored["lfn"].rsplit("/", 1)[1] not in _names(dpps, stored["lfn"]), "it to be forgotten")


def _names(dpps: Shell, lfn: str) -> set[str]:
    return {one["name"] for one in dpps("data", "ls", lfn.rsplit("/", 1)[0])}


def _await(met: Any, what: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.2)
