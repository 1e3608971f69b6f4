"""The whole system on storage servers: a file from the telescopes to its copies, and back to a reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.composition.state import StateFolder
from dpps.composition.storage import storage_token
from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_raw_stream, make_simtel
from dpps.testing.small_workload import COPY

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = [pytest.mark.xrootd, pytest.mark.rucio, pytest.mark.system]

_PATIENCE_SECONDS = 300.0


@pytest.fixture(scope="module")
def folder(state_root: Path) -> Iterator[StateFolder]:
    from dpps.composition.instance import StorageKind
    from dpps.ops.lifecycle import start, stop
    from dpps.ops.xrootd import xrootd_program

    if xrootd_program() is None:
        pytest.skip("xrootd is not installed (scripts/install-debian-packages)")
    folder = StateFolder(state_root / "xrootd-system")
    start(folder, report=lambda _service: None, storage=StorageKind.XROOTD)
    try:
        yield folder
    finally:
        stop(folder, report=lambda _service: None)


@pytest.fixture
def dpps(folder: StateFolder, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(folder.root, capsys)


def wait_for[T](look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    pytest.fail(f"waited {_PATIENCE_SECONDS:.0f} s in vain for {what}")


def test_from_the_telescopes_to_two_sites_and_back(folder: StateFolder, dpps: Shell, tmp_path: Path) -> None:
    obs_id = uuid.uuid4().int % 2_000_000_000
    day = "ctao/acada/DL0/LSTN-01/ctao-north/event/2026/02/14"
    name = f"{day}/TEL001_SDH0001_20260214T213000_OBSID{obs_id:019d}_CHUNK001.fits.fz"
    data = make_raw_stream(tmp_path / name, obs_id=obs_id).read_bytes()
    announce(tmp_path / name)

    (result,) = dpps("ingest", str(tmp_path))
    assert (result["outcome"], result["rse"]) == ("ingested", "CTAO-NORTH")
    assert (folder.storage("CTAO-NORTH") / name).read_bytes() == data

    def copies() -> dict[str, Any]:
        replicas = dpps("data", "info", f"/{name}")["replicas"]
        return {one["rse"]: one for one in replicas if one["state"] == "available"}

    def enough() -> bool:
        return sum(not one["onsite"] for one in copies().values()) >= 2

    wait_for(enough, "two copies off site")
    for rse, one in copies().items():
        if one["onsite"]:
            continue  # may be going already
        assert one["url"].startswith("https://127.0.0.1:")
        assert (folder.storage(rse) / name).read_bytes() == data

    def freed() -> bool:
        return not (folder.storage("CTAO-NORTH") / name).exists()

    wait_for(freed, "the copy on site to be freed")
    dpps("data", "get", f"/{name}", "--output", str(tmp_path / "got"))
    assert (tmp_path / "got" / Path(name).name).read_bytes() == data
    stock_client_reads(folder, name, data, tmp_path)
    offsite = next(one["url"] for one in copies().values() if not one["onsite"])
    plain_xrdcp_reads(folder, offsite, name, data, tmp_path)


def stock_client_reads(folder: StateFolder, name: str, data: bytes, place: Path) -> None:
    """Rucio's own client with a reader's certificate, over HTTPS."""
    home = place / "home"
    home.mkdir()
    text = folder.rucio_client_config.read_text()
    secret = folder.secret("rucio-reader")
    (home / "rucio.cfg").touch(mode=0o600)
    identity = f"account = reader\nusername = reader\npassword = {secret}"
    (home / "rucio.cfg").write_text(text.replace("[client]", f"[client]\n{identity}"))
    program = str(Path(sys.prefix) / "bin" / "rucio")
    found = place / "stock" / "acada" / name
    found.parent.mkdir(parents=True)  # the client makes no folders within names
    done = subprocess.run(
        [program, "download", "--dir", str(place / "stock"), f"acada:/{name}"],
        env={
            "HOME": str(home), "RUCIO_CONFIG": str(home / "rucio.cfg"), "PATH": os.environ["PATH"],
            "X509_USER_PROXY": str(folder.credential("reader")),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert found.read_bytes() == data


def plain_xrdcp_reads(folder: StateFolder, url: str, name: str, data: bytes, place: Path) -> None:
    """XRootD's own program with a reader's token, over root:// with TLS."""
    program = shutil.which("xrdcp")
    assert program is not None
    server = url.removeprefix("https://").partition("/")[0]
    token = storage_token(folder, "reader", [server], lifetime_seconds=600)
    trusted = str(folder.certificates / "trusted")
    done = subprocess.run(
        [program, "--silent", f"root://{server}//{name}", str(place / "plain.fits.fz")],
        env={"BEARER_TOKEN": token, "X509_CERT_DIR": trusted, "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (place / "plain.fits.fz").read_bytes() == data


def test_a_production_runs_on_storage_servers(folder: StateFolder, dpps: Shell, tmp_path: Path) -> None:
    run = uuid.uuid4().int % 2_000_000_000
    given = make_simtel(tmp_path / "handover" / "run.simtel.zst", run=run)
    data = given.read_bytes()
    announce(given)
    (taken,) = dpps("ingest", str(tmp_path / "handover"))
    (tmp_path / "copy.cwl").write_text(COPY)
    (tmp_path / "production.yaml").write_text(
        f"""
production: servers-{run}
transformations:
  - name: copy
    cwl: copy.cwl
    environment: core
    inputs: {{source: {{query: "instance__obs_id = {run} and data__level = 'SIM'"}}}}
    parameters: {{line: added}}
    outputs: {{copy: {{product: DL1/Event/Subarray/AirShowerSim, suffix: .dat}}}}
"""
    )

    status = dpps("production", "submit", str(tmp_path / "production.yaml"), "--wait")

    assert status["production"]["state"] == "done"
    (product,) = status["products"]
    found = dpps("data", "find", f"instance__obs_id = {run} and data__level = 'DL1'")
    assert [one["lfn"] for one in found] == [product]
    assert dpps("data", "lineage", product)["files"][0]["related"] == [taken["lfn"]]

    def copies() -> list[dict[str, Any]]:
        replicas = dpps("data", "info", product)["replicas"]
        return [one for one in replicas if one["state"] == "available"]

    wait_for(lambda: len(copies()) >= 2, "two copies of the product")
    for one in copies():
        assert one["url"].startswith("https://127.0.0.1:")
        assert (folder.storage(one["rse"]) / product[1:]).read_bytes() == data + b"added\n"
    left = [path for path in (folder.storage("CSCS") / "ctao" / "tmp").rglob("*") if path.is_file()]
    assert left == [], "what the job wrote has become the product"


def test_a_package_brings_the_same_products_to_another_archive(
    dpps: Shell,
    running_system: RunningSystem,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = uuid.uuid4().int % 2_000_000_000
    day = f"ctao/acada/DL0/LSTN-01/ctao-north/event/{uuid.uuid4().hex}"
    raw = make_raw_stream(
        tmp_path / "in" / day / "TEL001_SDH0001_20260214T213000_CHUNK001.fits.fz", obs_id=number
    )
    for path in (raw, make_simtel(tmp_path / "in" / "run.simtel.zst", run=number)):
        announce(path)
    lfns = sorted(one["lfn"] for one in dpps("ingest", str(tmp_path / "in")))
    bag = tmp_path / "bag.tar"
    dpps("data", "package", "export", *lfns, "-o", str(bag), "--kind", "aip")
    elsewhere = Shell(running_system.folder.root, capsys)

    principals = running_system.folder.config / "principals.yaml"
    principals.write_text("max: [production-manager]\n")
    monkeypatch.setenv("DPPS_PRINCIPAL", "max")
    refused = elsewhere("data", "package", "import", str(bag), exit_code=5)["error"]
    principals.unlink()
    monkeypatch.delenv("DPPS_PRINCIPAL")
    assert refused["identifiers"]["action"] == "data.ingest"
    assert "ingest" in refused["next_step"]
    assert elsewhere("data", "find", f"instance__obs_id = {number}") == []

    imported = elsewhere("data", "package", "import", str(bag))
    assert sorted((one["outcome"], one["lfn"]) for one in imported) == [("imported", lfn) for lfn in lfns]
    for lfn in lfns:
        here, there = dpps("data", "info", lfn), elsewhere("data", "info", lfn)
        same = ("bytes", "adler32", "dataset", "metadata")
        assert [here[key] for key in same] == [there[key] for key in same]
    elsewhere("data", "get", *lfns, "--output", str(tmp_path / "got"))
    assert (tmp_path / "got" / raw.name).read_bytes() == raw.read_bytes()
    again = elsewhere("data", "package", "import", str(bag))
    assert {one["outcome"] for one in again} == {"known"}


def test_files_written_into_the_folder_of_our_server_are_registered_where_they_lie(
    folder: StateFolder, dpps: Shell
) -> None:
    day = f"ctao/acada/DL0/LSTN-01/ctao-north/event/{uuid.uuid4().hex}"
    name = f"{day}/TEL001_SDH0001_20260214T213000_CHUNK001.fits.fz"
    storage = folder.storage("CTAO-NORTH")
    path = make_raw_stream(storage / name)
    written_at = path.stat().st_mtime_ns
    announce(path)
    (accepted,) = dpps("ingest", str(storage), "--dry-run")
    assert (accepted["outcome"], accepted["rse"]) == ("accepted", "CTAO-NORTH")
    (result,) = dpps("ingest", str(storage))
    assert (result["outcome"], result["lfn"]) == ("ingested", f"/{name}")
    # Neither copied nor replaced: there is nothing else beside it.
    assert path.stat().st_mtime_ns == written_at
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_server_that_serves_the_empty_place_of_its_disk_has_lost_nothing(
    folder: StateFolder, dpps: Shell, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_bytes(b"kept")
    (stored,) = dpps("data", "put", str(tmp_path / "file.txt"), "--temporary", "--lifetime", "1 hour")
    lfn = stored["lfn"]
    (copy,) = dpps("data", "info", lfn)["replicas"]
    root = folder.storage(copy["rse"])
    away, empty = root.with_name("away"), root.with_name("empty")
    root.rename(away)
    root.mkdir()
    shutil.chown(root, away.owner(), away.group())
    try:
        found = dpps("data", "audit", "--rse", copy["rse"], "--all", exit_code=7)
    finally:
        root.rename(empty)
        away.rename(root)
    assert [one["error"]["code"] for one in found["not_listed"]] == ["storage-absent"]
    assert not list(empty.iterdir())
    events = dpps("data", "audit", "events")
    assert [one for one in events if one["name"] == lfn and one["kind"] in ("lost", "declared-bad")] == []
    again = dpps("data", "audit", "--rse", copy["rse"], "--all")
    assert again["wrong"] == []
    assert again["storages"][0]["files"] >= 1
