"""``dpps data get`` says of each file that it cannot bring what to do next."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from dpps.adapters.memory.damage_reports import MemoryDamageReports
from dpps.cli.main import run
from dpps.data.retrieval import RetrievalParts
from dpps.domain.names import Lfn
from tests.unit.data.conftest import Archive, archive
from tests.unit.data.products import add_product

__all__ = ["archive"]

RAW = Lfn("/ctao/dpps/raw/p001/raw.fits")


def test_a_failure_names_the_file_once_and_the_next_step(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_product(archive, RAW, b"raw")
    archive.storage.files.clear()
    parts = RetrievalParts(
        catalogue=archive.catalogue, storage=archive.storage, reports=MemoryDamageReports()
    )
    monkeypatch.setattr("dpps.composition.reading.build_retrieval_parts", lambda _folder: parts)
    monkeypatch.setattr("dpps.composition.reading.open_named_datasets", lambda _folder: nullcontext())
    monkeypatch.setattr("dpps.composition.principals.local_principal", lambda _folder: archive.principal)
    assert run(["data", "get", str(RAW), "--output", str(tmp_path / "here"), "--state", str(tmp_path)]) != 0
    told = capsys.readouterr().err
    (failed,) = [line for line in told.splitlines() if line.startswith("failed: ")]
    assert failed.startswith(f"failed: {RAW} has no good copy: "), "the name is not told twice"
    assert "\nnext step: " in told
