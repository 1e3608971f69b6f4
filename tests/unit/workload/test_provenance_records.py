"""Records of provenance: products like others, one a task, however many steps wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn
from dpps.domain.work import ProductionState
from dpps.testing.small_workload import simulated
from dpps.workload import running
from dpps.workload.progress import production_status
from dpps.workload.provenance import join_records
from tests.unit.workload.conftest import Rig

STEPS = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments:
  - >-
    cat "$0" > copy.txt;
    for n in 1 2; do echo "[{\\"activity_name\\": \\"step $n\\"}]" > $n.provenance.log; done
  - $(inputs.source.path)
inputs: {source: File}
outputs:
  copy: {type: File, outputBinding: {glob: copy.txt}}
  provenance_logs: {type: "File[]", outputBinding: {glob: "*.provenance.log"}}
  copies: {type: "File[]", outputBinding: {glob: "*.txt"}}
"""


def production(folder: Path, output: str) -> Path:
    """Write a production of one step that publishes a copy and another output."""
    (folder / "steps.cwl").write_text(STEPS)
    path = folder / "night.yaml"
    path.write_text(f"""
production: night
transformations:
  - name: dl1
    cwl: steps.cwl
    environment: core
    inputs: {{source: {{query: "data__level = 'SIM'"}}}}
    outputs:
      copy: {{product: DL1/Event/Subarray/AirShower}}
      {output}
""")
    return path


PUBLISHED = "provenance_logs: {product: DL1/Event/Subarray/AirShower, suffix: .provenance.json}"


def test_records_of_all_steps_are_one_product(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(production(tmp_path, PUBLISHED))
    assert rig.finish() is ProductionState.DONE
    names = production_status(rig.system.manager, rig.store, "night").products
    (record,) = [name for name in names if name.endswith(".provenance.json")]
    (file,) = rig.system.catalogue.files([Lfn(record)])
    assert file is not None
    written = Path(file.replicas[0].pfn.removeprefix("file://localhost")).read_text()
    assert [one["activity_name"] for one in json.loads(written)] == ["step 1", "step 2"]
    assert file.metadata["dpps__inputs"] == ["/ctao/dpps/SIM/run1"]


def test_other_lists_of_files_are_no_products(rig: Rig, tmp_path: Path) -> None:
    rig.system.archive("run1", b"events\n", simulated(1))
    listed = "copies: {product: DL1/Event/Subarray/AirShower, suffix: .txt}"
    with pytest.raises(InvalidInput, match=r"outputs\.copies: the CWL output is File\[\], not one File"):
        rig.system.submit(production(tmp_path, listed))


@pytest.mark.parametrize(
    ("output", "state"), [(PUBLISHED, ProductionState.DONE), ("", ProductionState.FAILED)]
)
def test_a_record_too_large_for_a_job_s_report_must_be_published(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, state: ProductionState
) -> None:
    monkeypatch.setattr(running, "PROVENANCE_CHARACTERS", 10)
    rig.system.archive("run1", b"events\n", simulated(1))
    rig.system.submit(production(tmp_path, output))
    assert rig.finish() is state
    failed = production_status(rig.system.manager, rig.store, "night").transformations[0].failed
    assert [one for one in failed if "'provenance_logs' has" not in str(one)] == []
    assert bool(failed) is (state is ProductionState.FAILED)


def test_records_of_other_forms_are_kept_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text('[{"activity_name": "a"}]')
    (tmp_path / "b.log").write_text("made by hand")
    joined = join_records([tmp_path / "a.log", tmp_path / "b.log"], tmp_path / "joined.json")
    assert json.loads(joined.read_text()) == [
        {"activity_name": "a"},
        {"record": "b.log", "text": "made by hand"},
    ]
