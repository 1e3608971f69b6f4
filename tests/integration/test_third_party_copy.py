"""The mover between real storage servers: bytes go from one to the other, and each failure has its end."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dpps.data.transfers.failures import End, FailureClass
from dpps.data.transfers.mover import Abandoned, transfer
from dpps.data.transfers.ports import TransferStorage
from dpps.data.transfers.records import Claim, FileRequest, Settlement
from dpps.data.transfers.states import FileState
from dpps.ops import xrootd
from dpps.testing.xrootd_servers import XrootdServers

pytestmark = pytest.mark.xrootd

_DATA = bytes(range(256)) * 8_000


def proceed() -> None:
    """Nothing stops this copy."""


@pytest.fixture
def scheme() -> str:
    """What the storages are asked in, where a test does not say."""
    return "https"


@pytest.fixture
def source(xrootd_servers: XrootdServers, tmp_path: Path, scheme: str) -> Iterator[str]:
    storage = xrootd_servers.storage()
    (tmp_path / "a.dat").write_bytes(_DATA)
    url = f"{xrootd_servers.prefix('NEAR', scheme)}/ctao/acada/a.dat"
    storage.upload(tmp_path / "a.dat", url)
    yield url
    for rse in ("NEAR", "FAR"):
        for left in list(storage.list_files(f"{xrootd_servers.prefix(rse)}/ctao")):
            storage.delete(left)


@pytest.fixture
def claim(source: str, xrootd_servers: XrootdServers, scheme: str) -> Claim:
    request = FileRequest(
        sources=(source,),
        destination=f"{xrootd_servers.prefix('FAR', scheme)}/ctao/acada/deep/er/a.dat",
        checksum=f"ADLER32:{zlib.adler32(_DATA):08x}",
        size_bytes=len(_DATA),
    )
    return new_claim(request)


def new_claim(request: FileRequest) -> Claim:
    return Claim(
        file_id=1, number=1, worker=1, request=request, source_position=0, attempts=0,
        overwrite=False, verify_checksum=True, cancel_requested=False,
    )  # fmt: skip


def run(
    claim: Claim,
    servers: XrootdServers,
    watch: Callable[[], None] = proceed,
    storage: TransferStorage | None = None,
) -> Settlement:
    """Move one file; return how it ended, with the failure in it."""
    settlement, failure = transfer(claim, storage or servers.storage(), watch, lambda: datetime.now(UTC))
    return replace(settlement, failure=failure)


def everything(servers: XrootdServers, rse: str) -> list[Path]:
    return [path for path in servers.raw(rse).rglob("*") if path.is_file()]


def test_the_destination_fetches_the_file(claim: Claim, xrootd_servers: XrootdServers) -> None:
    seen = xrootd_servers.log("FAR").stat().st_size
    settlement = run(claim, xrootd_servers)

    assert settlement.state is FileState.FINISHED, settlement
    assert settlement.found is not None
    assert settlement.found.adler32 == f"{zlib.adler32(_DATA):08x}"
    (copy,) = everything(xrootd_servers, "FAR")
    assert copy == xrootd_servers.raw("FAR") / "ctao/acada/deep/er/a.dat"
    assert copy.read_bytes() == _DATA
    # The destination's own log tells that it was the one to fetch.
    with xrootd_servers.log("FAR").open("rb") as log:
        log.seek(seen)
        assert b"TPC_" in log.read()
    again = run(claim, xrootd_servers)
    assert (again.state, again.reason) == (FileState.FINISHED, "the destination held these bytes already")


@pytest.mark.parametrize("scheme", ["root"])
def test_xrootd_has_a_third_party_copy_of_its_own(claim: Claim, xrootd_servers: XrootdServers) -> None:
    settlement = run(claim, xrootd_servers)

    assert settlement.state is FileState.FINISHED, settlement
    assert (xrootd_servers.raw("FAR") / "ctao/acada/deep/er/a.dat").read_bytes() == _DATA
    storage, destination = xrootd_servers.storage(), claim.request.destination
    read, _ = storage.copy_aside(claim.source, destination, "2", proceed)
    storage.discard(destination, "2")
    assert read is None, "the bytes came through this process"


def test_what_https_cannot_copy_goes_over_xrootds_protocol(
    claim: Claim, xrootd_servers: XrootdServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = xrootd._CONFIGURATION.replace("http.exthandler xrdtpc libXrdHttpTPC.so\n", "")
    xrootd_servers.stop("FAR")
    with monkeypatch.context() as patched:
        patched.setattr(xrootd, "_CONFIGURATION", without)
        xrootd_servers.start("FAR")
    try:
        settlement = run(claim, xrootd_servers)
    finally:
        xrootd_servers.stop("FAR")
        xrootd_servers.start("FAR")

    assert settlement.state is FileState.FINISHED, settlement
    (copy,) = everything(xrootd_servers, "FAR")
    assert copy.read_bytes() == _DATA


def test_a_leftover_of_the_same_claim_does_no_harm(claim: Claim, xrootd_servers: XrootdServers) -> None:
    storage = xrootd_servers.storage()
    storage.copy_aside(claim.source, claim.request.destination, claim.token(), proceed)

    assert run(replace(claim, number=2), xrootd_servers).state is FileState.FINISHED
    assert [path.name for path in everything(xrootd_servers, "FAR")] == ["a.dat"]


def test_damage_at_the_source_is_told_from_damage_at_the_destination(
    claim: Claim, xrootd_servers: XrootdServers
) -> None:
    (path,) = everything(xrootd_servers, "NEAR")
    with path.open("r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"?")

    failure = run(claim, xrootd_servers).failure

    assert failure is not None
    assert (failure.kind, failure.end) == (FailureClass.SOURCE_CHECKSUM, End.SOURCE)
    assert not everything(xrootd_servers, "FAR")


def test_without_a_checksum_the_source_is_read(claim: Claim, xrootd_servers: XrootdServers) -> None:
    request = replace(claim.request, checksum=None, size_bytes=None)

    assert run(new_claim(request), xrootd_servers).state is FileState.FINISHED


@pytest.mark.parametrize("scheme", ["https", "root"])
def test_a_missing_source_is_named(claim: Claim, xrootd_servers: XrootdServers) -> None:
    xrootd_servers.storage().delete(claim.source)

    failure = run(claim, xrootd_servers).failure

    assert failure is not None
    assert (failure.kind, failure.end) == (FailureClass.SOURCE_MISSING, End.SOURCE)
    assert not everything(xrootd_servers, "FAR")


def test_a_job_may_not_copy_into_the_archive(claim: Claim, xrootd_servers: XrootdServers) -> None:
    failure = run(claim, xrootd_servers, storage=xrootd_servers.job_storage(reads=("/ctao/acada",))).failure

    assert failure is not None
    assert (failure.kind, failure.end) == (FailureClass.PERMISSION, End.DESTINATION)
    assert not everything(xrootd_servers, "FAR")


@pytest.mark.parametrize("rse", ["NEAR", "FAR"])
@pytest.mark.parametrize("scheme", ["https", "root"])
def test_a_server_that_is_down_is_a_matter_of_the_network(
    claim: Claim, xrootd_servers: XrootdServers, rse: str
) -> None:
    xrootd_servers.stop(rse)
    try:
        settlement = run(claim, xrootd_servers)
    finally:
        xrootd_servers.start(rse)

    assert settlement.state is FileState.SUBMITTED
    assert settlement.failure is not None
    assert settlement.failure.kind is FailureClass.NETWORK
    assert settlement.failure.end is (End.SOURCE if rse == "NEAR" else End.DESTINATION)
    assert run(claim, xrootd_servers).state is FileState.FINISHED


@pytest.mark.parametrize("scheme", ["https", "root"])
def test_a_canceled_copy_stops_and_leaves_nothing(claim: Claim, xrootd_servers: XrootdServers) -> None:
    path = xrootd_servers.raw("NEAR") / "ctao/acada/a.dat"
    with path.open("r+b") as stream:
        stream.truncate(2 * 1024**3)  # a hole that takes seconds to send
    calls = 0

    def cancel() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Abandoned(Settlement(state=FileState.CANCELED, reason="canceled on request"))

    settlement = run(claim, xrootd_servers, cancel)

    assert settlement.state is FileState.CANCELED
    deadline = time.monotonic() + 30
    while _holds_open(xrootd_servers, "FAR") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _holds_open(xrootd_servers, "FAR"), "the destination goes on fetching"
    assert not everything(xrootd_servers, "FAR")


def _holds_open(servers: XrootdServers, rse: str) -> bool:
    """Tell whether the server has a file of its storage open, deleted ones included."""
    folder = Path(f"/proc/{servers.processes[rse].pid}/fd")
    return any(
        str(servers.raw(rse)) in str(link.readlink()) for link in folder.iterdir() if link.is_symlink()
    )
