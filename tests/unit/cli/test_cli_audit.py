"""``dpps data audit`` tells what it found, whatever is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dpps.cli.main import run
from dpps.data.audit.records import ListedFile
from dpps.domain.errors import Unavailable
from dpps.domain.names import Lfn
from dpps.testing.command_line import Shell
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
