"""Provenance records of steps."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dpps.domain.step_record import StepRecord


def test_a_record_names_files_by_checksum_and_options_by_hash(tmp_path: Path) -> None:
    used, made = tmp_path / "used.yaml", tmp_path / "made.h5"
    used.write_bytes(b"description")
    made.write_bytes(b"events")
    record = StepRecord("simulate", {"seed": 1, "input": used}, ["pytest"])
    (activity,) = json.loads(record.document(used=[(used, "description")], made=[(made, "events")]))
    assert activity["input"][0]["sha256"] == hashlib.sha256(b"description").hexdigest()
    assert activity["output"] == [
        {
            "url": f"file://{made}",
            "role": "events",
            "sha256": hashlib.sha256(b"events").hexdigest(),
            "size_bytes": 6,
        }
    ]
    assert activity["config"] == {"simulate": {"seed": 1, "input": str(used)}}
    assert activity["system"]["pytest_version"] == pytest.__version__
    turned = StepRecord("simulate", {"input": used, "seed": 1}, [])
    other = StepRecord("simulate", {"input": used, "seed": 2}, [])
    assert activity["config_sha256"] == turned.configuration_sha256 != other.configuration_sha256
    with pytest.raises(FileNotFoundError):
        record.document(used=[(tmp_path / "gone", "description")], made=[])
