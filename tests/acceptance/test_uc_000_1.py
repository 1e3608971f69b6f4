"""UC-000-1: a pipeline job from archive input to archive output, with information and logs."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps.composition.workload import open_work_store
from dpps.testing.command_line import Shell
from dpps.testing.handed_files import announce, make_simtel
from tests.acceptance.test_uc_100_2 import obs_id, write_production

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

__all__ = ["obs_id"]

_REPOSITORY = Path(__file__).parents[2]
_SHARED = _REPOSITORY.parent / "shared" / "data" / "simtel"


@pytest.mark.rucio
@pytest.mark.parsl
@pytest.mark.verifies_usecase("UC-000-1")
def test_from_archive_to_archive(
    dpps: Shell, running_system: RunningSystem, tmp_path: Path, obs_id: int
) -> None:
    name, path = write_production(tmp_path, "copy.cwl", obs_id)
    plan = dpps("production", "submit", str(path), "--dry-run")
    assert plan["submitted"] is False
    (step,) = plan["transformations"]
    assert (step["tasks"], step["inputs"][0]["files"]) == (1, 1)
    status = dpps("production", "submit", str(path), "--wait")
    assert status["products"] == step["outputs"], "the dry run named the products"
    (product,) = dpps("data", "find", f"instance__obs_id = {obs_id} and data__level = 'DL1'")
    assert product["lfn"] == status["products"][0]
    assert product["metadata"]["dpps__production"] == name
    (source,) = product["metadata"]["dpps__inputs"]
    provenance = json.loads(product["metadata"]["dpps__provenance"])
    assert [used["entity"] for used in provenance["used"]] == [source]
    with open_work_store(running_system.folder) as store:
        (job,) = store.jobs(f"{name}.copy.1")
    assert job.report is not None
    assert job.report.wall_seconds > 0
    assert "copying" in job.report.log_tail
    dpps("data", "get", product["lfn"], "--output", str(tmp_path / "got"))
    (got,) = (tmp_path / "got").rglob("*.dat")
    handed = make_simtel(tmp_path / "same.simtel.zst", run=obs_id)
    assert got.read_bytes() == handed.read_bytes() + b"added\n"


@pytest.mark.rucio
@pytest.mark.parsl
@pytest.mark.pipelines
@pytest.mark.verifies_usecase("UC-000-1")
def test_events_to_reconstructed_showers(dpps: Shell, running_system: RunningSystem, tmp_path: Path) -> None:
    """Extra coverage where real simulations are beside the checkout: SIM to DL1 to DL2 with ctapipe."""
    found = sorted(_SHARED.glob("gamma_prod6*.simtel.zst"))
    if not found:
        pytest.skip(f"no simulation files in {_SHARED}")
    handover = tmp_path / "handover"
    handover.mkdir()
    announce(Path(shutil.copy(found[0], handover)))
    (taken,) = dpps("ingest", str(handover), "--array-site", "CTAO-North")
    source = dpps("data", "info", taken["lfn"])
    name = f"uc-000-1-{uuid.uuid4().hex[:8]}"
    text = (_REPOSITORY / "workflows" / "productions" / "simulated_dl2.yaml").read_text()
    query = f"instance__obs_id = {source['metadata']['instance__obs_id']} and data__level = 'SIM'"
    path = tmp_path / "production.yaml"
    path.write_text(
        text.replace("simulated-dl2", name)
        .replace("../", f"{_REPOSITORY}/workflows/")
        .replace("data__level = 'SIM' and data__type = 'AirShowerSim'", query)
    )
    status = dpps("production", "submit", str(path), "--wait")
    assert status["production"]["state"] == "done"
    with open_work_store(running_system.folder) as store:
        (job,) = store.jobs(f"{name}.dl1.1")
    assert job.report is not None
    assert job.report.software["ctapipe"]
    assert '"activity_name"' in job.report.provenance["provenance_log"]
    dl2 = next(lfn for lfn in status["products"] if "/DL2/Event/" in lfn)
    records = [lfn for lfn in status["products"] if lfn.endswith(".provenance.json")]
    assert len(records) == 2
    dpps("data", "get", dl2, "--output", str(tmp_path / "got"))
    (got,) = (tmp_path / "got").rglob("*.h5")
    assert got.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n"
