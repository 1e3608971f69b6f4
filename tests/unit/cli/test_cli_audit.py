"""``dpps data audit`` tells what it found, whatever is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dpps.cli.main import run
from dpps.data.audit.comparing import take_stock
from dpps.data.audit.records import ListedFile
from dpps.domain.errors import Unavailable
from dpps.domain.names import Lfn
from dpps.services.preservation.work import AuditWork
from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_simtel
from tests.unit.data.conftest import archive
from tests.unit.services.preservation.test_preservation_work import Service, lfn, service

__all__ = ["archive", "lfn", "service"]


@pytest.fixture
def dpps(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.setattr("dpps.composition.preservation.build_preservation", lambda _folder: service.parts)
    return Shell(tmp_path, capsys)


@pytest.fixture
def pic_is_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = service.audit.archive.storage
    everything = storage.everything

    def lists(url: str) -> Iterator[ListedFile]:
        if url.startswith("memory://PIC/"):
            raise Unavailable("PIC is away", code="storage-absent", next_step="mount it")
        return everything(url)

    monkeypatch.setattr(storage, "everything", lists)


@pytest.mark.usefixtures("pic_is_away")
def test_damage_is_told_although_a_storage_cannot_be_listed(service: Service, lfn: Lfn, dpps: Shell) -> None:
    data = service.audit.bytes_at("CTAO-NORTH", lfn)
    service.audit.put("CTAO-NORTH", lfn, data[:-1] + bytes([data[-1] ^ 1]))
    found = dpps("data", "audit", "--all", exit_code=6)
    assert [(one["outcome"], one["rse"]) for one in found["wrong"]] == [("damaged", "CTAO-NORTH")]
    assert [(one["rse"], one["error"]["code"]) for one in found["not_listed"]] == [("PIC", "storage-absent")]
    elements = service.connection.catalogue.storage_elements()
    assert {one["rse"] for one in found["storages"]} == {one.rse for one in elements} - {"PIC"}


@pytest.mark.usefixtures("pic_is_away", "lfn", "dpps")
def test_an_outage_alone_has_its_own_exit_code_and_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "audit", "--all", "--state", str(tmp_path)]) == 7
    told = capsys.readouterr().err
    assert "1 copies are intact" in told
    assert "CSCS: 0 files" in told
    assert "error: PIC is away\nnext step: mount it" in told


def test_a_quiet_archive_ends_well(lfn: Lfn, dpps: Shell) -> None:
    found = dpps("data", "audit", "--all")
    assert (found["read"], found["wrong"], found["not_listed"]) == (1, [], [])


def test_status_tells_when_copies_are_read_later_than_they_should_be(
    service: Service, lfn: Lfn, dpps: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dpps("data", "audit", "--all")
    service.audit.now += timedelta(days=98)
    assert [one["behind"] for one in dpps("data", "audit", "status")["storages"]] == [False]
    service.audit.now += timedelta(days=2)
    # A file that arrives later is not read yet: it must not hide how late the others are.
    announce(make_simtel(service.audit.archive.handover / "run11.simtel", run=11))
    service.audit.archive.ingest()
    for dataset in service.connection.catalogue.datasets():
        take_stock(service.connection.catalogue, service.connection.control, dataset)
    assert [one["behind"] for one in dpps("data", "audit", "status")["storages"]] == [True]
    assert run(["data", "audit", "status", "--state", str(tmp_path)]) == 0
    assert "behind: CTAO-NORTH has copies last read at 2026-02-14" in capsys.readouterr().err
    assert AuditWork(service.parts, service.metrics, lambda _seconds: None)(service.connection)
    assert service.metrics.registry.get_sample_value("dpps_audit_behind", {"rse": "CTAO-NORTH"}) == 0.0
