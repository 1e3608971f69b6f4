"""Data centres with networks of their own: a transfer meets a partition, and goes on when it heals."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.transfers.failures import FailureClass
from dpps.data.transfers.mover import transfer
from dpps.data.transfers.records import Claim, FileRequest
from dpps.data.transfers.states import FileState
from dpps.domain.errors import Conflict, InvalidInput, NotFound
from dpps.testing.bed import TestBed, may_make_networks

pytestmark = pytest.mark.xrootd

_DATA = b"of the night" * 1000


@pytest.fixture
def folder(state_root: Path) -> Iterator[StateFolder]:
    from dpps.ops.xrootd import xrootd_program

    if xrootd_program() is None:
        pytest.skip("xrootd is not installed (scripts/install-debian-packages)")
    folder = StateFolder(state_root / "bed")
    yield folder
    TestBed(folder).stop()


def claim(bed: TestBed, name: str) -> Claim:
    source, destination = (bed.sites[rse].url_prefix for rse in ("CSCS", "PIC"))
    request = FileRequest(
        sources=(f"{source}/ctao/{name}",), destination=f"{destination}/ctao/{name}",
        checksum=f"ADLER32:{zlib.adler32(_DATA):08x}", size_bytes=len(_DATA),
    )  # fmt: skip
    return Claim(
        file_id=1, number=1, worker=1, request=request, source_position=0, attempts=0,
        overwrite=False, verify_checksum=True, cancel_requested=False,
    )  # fmt: skip


def test_a_partition_heals_and_the_transfer_finishes(folder: StateFolder, tmp_path: Path) -> None:
    reason = may_make_networks()
    if reason:
        pytest.skip(f"no network namespaces here: {reason}")
    bed = TestBed(folder)
    bed.start(["CSCS", "PIC"])
    with pytest.raises(Conflict):
        bed.start(["CSCS", "PIC"])
    storage, work = build_storage(folder, "transfers"), claim(bed, "a.dat")
    (tmp_path / "a.dat").write_bytes(_DATA)
    storage.upload(tmp_path / "a.dat", work.source)

    bed.partition("PIC")
    assert {row["rse"]: row["answers"] for row in bed.status()} == {"CSCS": "yes", "PIC": "no"}
    cut_off, failure = transfer(work, storage, lambda: None, lambda: datetime.now(UTC))
    bed.heal("PIC")
    healed, _ = transfer(work, storage, lambda: None, lambda: datetime.now(UTC))

    assert cut_off.state is FileState.SUBMITTED
    assert cut_off.due_at is not None
    assert failure is not None
    assert failure.kind is FailureClass.NETWORK
    assert healed.state is FileState.FINISHED
    assert (folder.storage("PIC") / "ctao/a.dat").read_bytes() == _DATA
    bed.limit("PIC", {"rate": "1mbit"})
    assert "rate 1Mbit" in next(row["limits"] for row in bed.status() if row["rse"] == "PIC")
    with pytest.raises(InvalidInput):
        bed.limit("PIC", {"rate": "fast"})
    bed.stop()
    with pytest.raises(NotFound):
        _ = bed.sites
    assert not [path for path in Path("/sys/class/net").iterdir() if path.name.startswith("dpps-bed")]


def test_without_rights_a_stopped_server_stands_for_a_partition(folder: StateFolder) -> None:
    bed = TestBed(folder)
    bed.start(["CSCS"], loopback=True)
    (process,) = [one for one in bed.processes() if one.name() == "xrootd"]

    def until(stopped: bool) -> None:
        deadline = time.monotonic() + 10
        while (process.status() == psutil.STATUS_STOPPED) is not stopped:
            assert time.monotonic() < deadline, process.status()
            time.sleep(0.01)

    bed.partition("CSCS")
    until(stopped=True)
    bed.heal()
    until(stopped=False)
    with pytest.raises(InvalidInput) as refused:
        bed.limit("CSCS", {"rate": "1mbit"})
    bed.stop()

    assert "loopback" in refused.value.message
    assert not process.is_running()
