"""The transfer service through stops, kills and restarts, its own and the database's."""

from __future__ import annotations

import json
import os
import signal
import sys
import zlib
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue

from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster
from dpps.testing.transfer_service import TransferService, transfer_service

__all__ = ["postgresql_cluster", "transfer_service"]

pytestmark = pytest.mark.postgresql


@pytest.fixture
def service(transfer_service: TransferService) -> TransferService:
    transfer_service.start()
    transfer_service.await_ready()
    return transfer_service


def _file(service: TransferService, name: str, data: bytes) -> dict[str, JsonValue]:
    return {
        "sources": [service.place("ONE", name, data)],
        "destinations": [service.file_url("TWO", name)],
        "checksum": f"ADLER32:{zlib.adler32(data):08x}",
        "filesize": len(data),
        "metadata": {"request_id": uuid4().hex},
    }


def test_the_service_stops_cleanly_and_begins_again(service: TransferService) -> None:
    job_id = service.submit(_file(service, "a.dat", b"bytes"))
    assert service.stop(signal.SIGTERM) == 0
    for line in service.folder.log("transfers").read_text().splitlines():
        assert json.loads(line)["service"] == "transfers"

    service.start()
    service.await_ready()

    assert service.await_final(job_id)["job_state"] == "FINISHED"
    assert service.everything("TWO") == {"a.dat"}


def test_a_port_in_use_is_named(service: TransferService) -> None:
    second = TransferService(service.folder, service.port)
    second.start()
    assert second.process is not None
    assert second.process.wait(60) == 4
    assert f"cannot listen on 127.0.0.1:{service.port}" in service.folder.log("transfers").read_text()


def test_a_restart_of_the_database_delays_and_loses_nothing(
    service: TransferService, postgresql_cluster: PostgresqlCluster
) -> None:
    before = service.submit(_file(service, "before.dat", b"1"))
    postgresql_cluster.stop()
    try:
        assert "database" in service.await_health(503)
        refused = service.call("POST", "/jobs", {"files": [_file(service, "lost.dat", b"2")]}, status=503)
        assert isinstance(refused, dict)
    finally:
        postgresql_cluster.start()
    service.await_ready()
    after = service.submit(_file(service, "after.dat", b"3"))

    assert service.await_final(before)["job_state"] == "FINISHED"
    assert service.await_final(after)["job_state"] == "FINISHED"


@pytest.mark.parametrize(
    ("die_at", "after"), [(1, ""), (3, "1"), (6, "")], ids=["step 1", "after step 3", "step 6"]
)
def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(
    transfer_service: TransferService, tmp_path: Path, die_at: int, after: str
) -> None:
    service = transfer_service
    service.command = (sys.executable, "-m", "dpps.testing.killed_transfer_service")
    copies = tmp_path / "copies"
    contents = {f"{index}.dat": os.urandom(50_000) for index in range(12)}
    mortal = {"DPPS_TEST_COPIES": str(copies), "DPPS_TRANSFERS_WORKERS": "2"}
    service.start(**mortal, DPPS_TEST_DIE_AT="0")
    service.await_ready()
    service.stop()
    job_id = _submit_unheard(service, contents)

    deaths = 0
    # Each life gets a step or two further than the one before it, so that every step is met in time.
    for further in range(4):
        service.start(**mortal, DPPS_TEST_DIE_AT=str(die_at + 5 * further), DPPS_TEST_DIE_AFTER=after)
        assert service.process is not None
        assert service.process.wait(60) == -signal.SIGKILL
        deaths += 1
    service.start(**mortal, DPPS_TEST_DIE_AT="0")
    service.await_ready()
    job = service.await_final(job_id)

    assert job["job_state"] == "FINISHED"
    assert {name: service.path("TWO", name).read_bytes() for name in contents} == contents
    assert service.everything("TWO") == set(contents), "nothing dark may be left"
    # At most what two workers held was begun again after each death.
    assert len(contents) <= len(copies.read_text().splitlines()) <= len(contents) + 2 * deaths


def _submit_unheard(service: TransferService, contents: dict[str, bytes]) -> str:
    """Put a job into the queue while no service runs, through the service's own queue."""
    from datetime import UTC, datetime

    from dpps.composition.transfers import build_transfers
    from dpps.data.transfers.records import FileRequest, JobRequest

    files = tuple(
        FileRequest(
            sources=(service.place("ONE", name, data),),
            destination=service.file_url("TWO", name),
            checksum=f"ADLER32:{zlib.adler32(data):08x}",
            size_bytes=len(data),
        )
        for name, data in contents.items()
    )
    parts = build_transfers(service.folder)
    try:
        return str(parts.queue.submit(JobRequest(job_id=uuid4(), files=files), datetime.now(UTC)))
    finally:
        parts.close()
