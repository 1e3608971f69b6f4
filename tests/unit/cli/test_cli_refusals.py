"""Refusals are told the house's way: what is wrong, what to do, and where the thing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.cli.ingest import taking
from dpps.cli.main import run
from dpps.data.ingest.values import IngestedFile, IngestOutcome
from dpps.domain.errors import DamagedFile


@pytest.mark.parametrize("verb", ["check", "simulate", "apply"])
def test_a_policy_file_that_is_not_there(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpps.composition.data.build_catalogue", lambda *_: None)
    assert run(["data", "policy", verb, str(tmp_path / "nosuch.yaml"), "--state", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "nosuch.yaml cannot be read: No such file or directory" in told
    assert "next step: name a text file" in told
    assert "Usage" not in told


def test_a_quarantined_file_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "quarantine" / "a run.simtel"
    error = DamagedFile("it is cut", next_step="write it again")
    result = IngestedFile(
        path=tmp_path / "a run.simtel", outcome=IngestOutcome.QUARANTINED, quarantine=place, error=error
    )
    assert taking._show([result], as_json=False) == error.exit_code
    assert f"dpps ingest quarantine show '{place}'" in capsys.readouterr().err
    taking._tell(result, as_json=False)
    assert capsys.readouterr().out.rstrip().endswith(f"it is cut; it lies in {place}")
