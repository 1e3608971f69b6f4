"""Bulk data management, seen from outside: files handed over, commands given, answers read."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_housekeeping, make_raw_stream, make_simtel

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

_PATIENCE_SECONDS = 400.0


@pytest.fixture
def obs_id() -> int:
    """A number that no other file of the system has."""
    return uuid.uuid4().int % 2_000_000_000


def wait_for[T](look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f"waited {_PATIENCE_SECONDS:.0f} s in vain for {what}")


def raw_name(obs_id: int, tel_id: int = 1, chunk: int = 1) -> str:
    return (
        f"ctao/acada/DL0/LSTN-{tel_id:02d}/ctao-north/event/2026/02/14/"
        f"TEL{tel_id:03d}_SDH0001_20260214T213000_OBSID{obs_id:019d}_CHUNK{chunk:03d}.fits.fz"
    )


@pytest.mark.verifies_usecase("UC-110-1.1")
@pytest.mark.verifies_usecase("UC-110-1.1.1")
@pytest.mark.verifies_requirement("C-BDMS-0010")
def test_a_file_written_on_site_is_registered_where_it_is(
    dpps: Shell, running_system: RunningSystem, obs_id: int
) -> None:
    root = running_system.folder.storage("CTAO-NORTH")
    path = make_raw_stream(root / raw_name(obs_id), obs_id=obs_id)
    written = path.read_bytes()
    trigger = announce(path)
    (result,) = dpps("ingest", str(root))
    assert (result["outcome"], result["lfn"]) == ("ingested", f"/{raw_name(obs_id)}")
    assert not trigger.is_symlink()
    (file,) = dpps("data", "find", f"instance__obs_id = {obs_id}")
    assert file["lfn"] == f"/{raw_name(obs_id)}"
    assert file["bytes"] == len(written)
    expected = {
        "observatory": "CTAO",
        "start_time": "2026-02-14T21:30:00.000000000",
        "end_time": "2026-02-14T21:31:00.500000000",
        "obs_id": obs_id,
        "sb_id": 2000000066,
        "valid_fits_checksum": True,
    }
    assert {key: file["metadata"][key] for key in expected} == expected
    again = root.parent / f"again-{obs_id}" / raw_name(obs_id)
    again.parent.mkdir(parents=True)
    again.write_bytes(written)
    announce(again)
    (repeated,) = dpps("ingest", str(root.parent / f"again-{obs_id}"))
    assert repeated["outcome"] == "known"
    assert len(dpps("data", "find", f"instance__obs_id = {obs_id}")) == 1


@pytest.mark.verifies_usecase("UC-110-1.1.1")
@pytest.mark.verifies_usecase("UC-110-1.1.4")
def test_every_stream_is_taken_where_it_is_with_its_keys_and_containers(
    dpps: Shell, running_system: RunningSystem, obs_id: int
) -> None:
    root = running_system.folder.storage("CTAO-NORTH")
    day = f"ctao/acada/DL0/ARRAY/ctao-north/event/2026/02/14/{obs_id}"
    for kind in ("Telescope", "Subarray", "Trigger"):
        announce(make_raw_stream(root / day / f"{kind}.fits.fz", obs_id=obs_id, kind=kind))
    for division in ("Monitoring", "Service"):
        announce(make_housekeeping(root / day / f"{division}.fits", division=division, sb_id=obs_id))
    damaged = make_raw_stream(root / day / "damaged.fits.fz", obs_id=obs_id)
    damaged.write_bytes(damaged.read_bytes() + bytes(2880))
    announce(damaged)
    results = {Path(one["path"]).name: one for one in dpps("ingest", str(root), exit_code=6)}
    outcomes = {name: one["outcome"] for name, one in results.items()}
    assert outcomes.pop("damaged.fits.fz") == "quarantined"
    assert set(outcomes.values()) == {"ingested"}
    assert len(outcomes) == 5
    assert not damaged.exists()
    place = root / day.replace("/DL0/", "/INVALID_DL0/") / "damaged.fits.fz"
    assert place.with_name("damaged.fits.fz.reason.json").is_file()
    found = {
        file["lfn"].rsplit("/", 1)[1]: file for file in dpps("data", "find", f"sb_id > 0 and {_is(obs_id)}")
    }
    assert set(found) == set(outcomes)
    assert found["Trigger.fits.fz"]["metadata"]["tel_ids"] == [1]
    assert found["Subarray.fits.fz"]["metadata"]["subarray_id"] == 1
    assert found["Monitoring.fits"]["metadata"]["data__division"] == "Monitoring"
    assert found["Service.fits"]["metadata"]["data__division"] == "Service"
    level = "/ctao/acada/DL0"
    for name in day.removeprefix("ctao/acada/DL0/").split("/"):
        assert f"{name}/" in {entry["name"] for entry in dpps("data", "ls", level)}
        level = f"{level}/{name}"


def _is(number: int) -> str:
    return f"(obs_id = {number} or acquisition__sb_id = {number})"


@pytest.mark.verifies_usecase("UC-110-1.1.3")
def test_simulated_files_are_taken_too_and_damaged_ones_are_not(
    dpps: Shell, tmp_path: Path, obs_id: int
) -> None:
    announce(make_simtel(tmp_path / "good.simtel.zst", run=obs_id))
    cut = make_simtel(tmp_path / "cut.simtel.zst", run=obs_id, primary=101)
    cut.write_bytes(cut.read_bytes()[:-20])
    trigger = announce(cut)
    results = {Path(one["path"]).name: one for one in dpps("ingest", str(tmp_path), exit_code=6)}
    assert results["good.simtel.zst"]["outcome"] == "ingested"
    assert results["cut.simtel.zst"]["error"]["code"] == "file-damaged"
    assert "cut.simtel.zst" in results["cut.simtel.zst"]["error"]["message"]
    assert results["cut.simtel.zst"]["outcome"] == "quarantined"
    assert not trigger.is_symlink()
    (held,) = dpps("ingest", "quarantine", "list", str(tmp_path))
    assert held["path"] == str(tmp_path / "quarantine/cut.simtel.zst")
    assert (held["handed_over_as"], held["code"]) == ("cut.simtel.zst", "file-damaged")
    handover = ("--handover", str(tmp_path))
    assert dpps("ingest", "quarantine", "show", "cut.simtel.zst", *handover) == held
    make_simtel(Path(held["path"]), run=obs_id, primary=101)
    released = dpps("ingest", "quarantine", "release", "cut.simtel.zst", *handover)
    assert released["outcome"] == "released"
    (mended,) = dpps("ingest", str(tmp_path))
    assert mended["outcome"] == "ingested"
    assert dpps("ingest", "quarantine", "list", str(tmp_path)) == []
    found = dpps("data", "find", f"data__level = 'SIM' and instance__obs_id = {obs_id}")
    assert {file["metadata"]["instance__particle_pdgid"] for file in found} == {22, 2212}


@pytest.mark.verifies_usecase("UC-110-1.1.4")
@pytest.mark.verifies_usecase("UC-110-1.6")
@pytest.mark.verifies_usecase("UC-110-1.2")
@pytest.mark.verifies_usecase("UC-110-1.3.1")
@pytest.mark.verifies_requirement("C-BDMS-0330")
def test_from_trigger_file_to_two_copies_off_site_and_none_on_site(
    dpps: Shell, running_system: RunningSystem, tmp_path: Path, obs_id: int
) -> None:
    path = make_simtel(running_system.folder.handover / f"run{obs_id}.simtel.zst", run=obs_id)
    trigger = announce(path)
    wait_for(lambda: not trigger.is_symlink(), "the trigger to disappear")
    (file,) = dpps("data", "find", f"instance__obs_id = {obs_id}")

    def preserved() -> list[dict[str, Any]] | None:
        copies: list[dict[str, Any]] = dpps("data", "info", file["lfn"])["replicas"]
        available = [one for one in copies if one["state"] == "available" and not one["onsite"]]
        return available if len(copies) == len(available) == 2 else None

    copies = wait_for(preserved, "two off-site copies and no other")
    assert len({one["rse"] for one in copies}) == 2
    for copy in copies:
        assert Path(copy["url"].removeprefix("file://localhost")).read_bytes() == path.read_bytes()
    onsite = Path(f"{running_system.folder.storage('CTAO-NORTH')}{file['lfn']}")
    assert not onsite.exists()
    (got,) = dpps("data", "get", file["lfn"], "-o", str(tmp_path / "out"))
    assert Path(got["path"]).read_bytes() == path.read_bytes()
    assert got["from"] in {one["rse"] for one in copies}


@pytest.mark.verifies_usecase("UC-110-1.2.1")
def test_names_are_looked_up_and_unknown_ones_are_errors(dpps: Shell, tmp_path: Path, obs_id: int) -> None:
    announce(make_simtel(tmp_path / "one.simtel", run=obs_id))
    (result,) = dpps("ingest", str(tmp_path))
    folder, name = result["lfn"].rsplit("/", 1)
    listed = {entry["name"]: entry for entry in dpps("data", "ls", folder)}
    assert listed[name]["bytes"] == (tmp_path / "one.simtel").stat().st_size
    assert "dpps/" in {entry["name"] for entry in dpps("data", "ls", "/ctao")}
    missing = dpps("data", "info", f"{folder}/none.simtel", exit_code=3)
    assert "none.simtel" in missing["error"]["message"]
    assert missing["error"]["next_step"]


@pytest.mark.verifies_requirement("C-BDMS-0210")
def test_queries_combine_keys_and_compare_by_order(dpps: Shell, tmp_path: Path, obs_id: int) -> None:
    for observation in range(3):
        for telescope in range(1, 5):
            for chunk in range(1, 4):
                number = obs_id + observation
                path = tmp_path / raw_name(number, telescope, chunk)
                announce(make_raw_stream(path, obs_id=number, tel_id=telescope))
    assert len(dpps("ingest", str(tmp_path))) == 36
    this = f"instance__obs_id >= {obs_id} and instance__obs_id <= {obs_id + 2}"
    assert len(dpps("data", "find", this)) == 36
    assert len(dpps("data", "find", f"instance__obs_id = {obs_id}")) == 12
    assert len(dpps("data", "find", f"instance__obs_id = {obs_id} and instance__chunk_id = 2")) == 4
    later = f"instance__obs_id > {obs_id} and instance__obs_id <= {obs_id + 2} and instance__ae_id = 3"
    found = dpps("data", "find", f"{later} and instance__chunk_id < 3")
    assert len(found) == 4
    (got, *_) = dpps("data", "get", found[0]["lfn"], "-o", str(tmp_path / "out"))
    assert Path(got["path"]).stat().st_size == found[0]["bytes"]
