"""The CWL documents: valid, free of our vocabulary, and run by the stock runner."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.testing.cwl_runs import cwl_file, product_contents, program_path, run_cwl

pytestmark = pytest.mark.pipelines

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / "workflows"
CONFIGURATION = WORKFLOWS / "configurations" / "process_events.yaml"
PIPELINES = REPOSITORY / ".envs" / "pipelines" / "bin"
SIMULATIONS = REPOSITORY.parent / "shared" / "data" / "simtel"

#: All that are published, in one folder: the same documents.
PUBLISHED = WORKFLOWS / "datapipe"
DOCUMENTS = sorted(path for path in WORKFLOWS.rglob("*.cwl") if path.parent != PUBLISHED)


@pytest.fixture(scope="module")
def search_path() -> str:
    if not (PIPELINES / "ctapipe-process").exists():
        pytest.skip("the pipelines environment is not installed: run `make setup`")
    return program_path(PIPELINES)


@pytest.fixture(scope="module")
def hand_over(tmp_path_factory: pytest.TempPathFactory, search_path: str) -> dict[str, Any]:
    """Four toy events of four telescopes, as the telescopes' software hands them over."""
    assert search_path
    folder = tmp_path_factory.mktemp("hand-over")
    command = [str(PIPELINES / "dpps-simpipe-toy"), "--output", str(folder)]
    done = subprocess.run(
        [*command, "--events", "4", "--seed", "21", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def processes() -> CwltoolProcesses:
    return CwltoolProcesses()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_document_is_valid(document: Path, processes: CwltoolProcesses) -> None:
    """In one process: a program for each of them takes longer than all other checks."""
    assert processes.describe(processes.pack(document)).outputs


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_document_is_free_of_our_vocabulary(document: Path) -> None:
    text = document.read_text(encoding="utf-8").lower()
    assert not re.findall(r"\b(dpps(?!-[a-z]+pipe|-science)|lfn|rucio|parsl|dirac|scope)\b", text)


@pytest.mark.verifies_usecase("UC-130-1.2")
@pytest.mark.verifies_usecase("UC-130-1.2.2")
def test_array_streams_become_reconstructed_showers(
    hand_over: dict[str, Any], tmp_path: Path, search_path: str
) -> None:
    """By the published path; the files are called after the events."""
    subarray, _, *telescopes = (Path(name) for name in hand_over["files"])
    job = {
        "processing_config": cwl_file(CONFIGURATION),
        "dl0": cwl_file(subarray),
        "dl0_streams": [cwl_file(path) for path in telescopes],
    }
    run = run_cwl(PUBLISHED / "workflow_dl0_to_dl2.cwl", job, tmp_path, search_path)
    assert run.exit_code == 0, run.log
    stem = subarray.name.removesuffix(".fits.fz")
    assert [run.path(level).name for level in ("dl1", "dl2")] == [f"{stem}.dl1.h5", f"{stem}.dl2.h5"]
    geometry = "/dl2/event/subarray/geometry/HillasReconstructor"
    names = ("alt", "az", "core_x", "core_y", "alt_uncert", "average_intensity")
    columns = [f"{geometry}:HillasReconstructor_{name}" for name in (*names, "is_valid")]
    found = product_contents(PIPELINES, run.path("dl2"), *columns)
    assert found.rows[geometry] == hand_over["events"]
    for column in columns:
        assert None not in found.columns[column], column
    assert all(found.columns[columns[-1]])
    pictures = tmp_path / "pictures"
    command = [str(PIPELINES / "dpps-datapipe-pictures"), "--output", str(pictures)]
    products = ["--dl1", str(run.path("dl1")), "--dl2", str(run.path("dl2"))]
    subprocess.run([*command, *products, "--truth", hand_over["truth"]], check=True)
    summary = json.loads((pictures / "summary.json").read_text(encoding="utf-8"))
    assert summary["label"] == "toy"
    assert summary["reconstructed_events"] == summary["events"] == hand_over["events"]
    assert summary["offset_deg_median"] < 0.5


@pytest.mark.verifies_usecase("UC-130-1.2.1")
def test_one_telescope_becomes_images_and_a_provenance_record(
    hand_over: dict[str, Any], tmp_path: Path, search_path: str
) -> None:
    """From a URL, as published job files may name events."""
    stream = Path(hand_over["files"][2])
    job = {"processing_config": cwl_file(CONFIGURATION), "dl0": stream.as_uri(), "dl1_filename": "one.dl1.h5"}
    run = run_cwl(PUBLISHED / "process_dl0_dl1.cwl", job, tmp_path, search_path)
    assert run.exit_code == 0, run.log
    assert run.path("dl1").name == "one.dl1.h5"
    tables = [f"/dl1/event/telescope/{kind}/tel_001" for kind in ("images", "parameters")]
    columns = [f"{tables[0]}:image", f"{tables[1]}:hillas_width"]
    found = product_contents(PIPELINES, run.path("dl1"), *columns)
    assert {found.rows[table] for table in tables} == {hand_over["events"]}
    images, widths = (found.columns[column] for column in columns)
    assert all(max(image) > 5.0 for image in images)
    assert all(width > 0.0 for width in widths)
    assert found.texts["CTA ACTIVITY SOFTWARE NAME"] == "ctapipe"
    assert run.path("provenance_log").name == "ctapipe-process_dl0_dl1.provenance.log"
    (record,) = json.loads(run.path("provenance_log").read_text(encoding="utf-8"))
    assert record["activity_uuid"] == found.texts["CTA ACTIVITY ID"]
    assert record["system"]["ctapipe_version"] == found.texts["CTA ACTIVITY SOFTWARE VERSION"]
    inputs = {Path(entry["url"]).name: entry for entry in record["input"]}
    assert set(inputs) >= {stream.name, CONFIGURATION.name}
    assert all(len(entry["sha256"]) == 64 for entry in inputs.values())
    assert len(record["config_sha256"]) == 64


def test_names_of_the_job_file_of_the_calibration_are_obeyed(
    hand_over: dict[str, Any], tmp_path: Path, search_path: str
) -> None:
    """`images` and `parameters`, as the job of DPPS-UC-010-1 has them."""
    job = {
        "processing_config": cwl_file(CONFIGURATION),
        "dl0": cwl_file(Path(hand_over["files"][2])),
        "dl1_filename": "gamma.dl1.h5",
        "images": False,
        "parameters": True,
    }
    run = run_cwl(PUBLISHED / "process_dl0_dl1.cwl", job, tmp_path, search_path)
    assert run.exit_code == 0, run.log
    rows = product_contents(PIPELINES, run.path("dl1")).rows
    assert "/dl1/event/telescope/parameters/tel_001" in rows
    assert "/dl1/event/telescope/images/tel_001" not in rows


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("gamma_1.dl1_img.h5", "gamma_1.dl1.h5"),
        ("gamma.simtel.zst", "gamma.dl1.h5"),
    ],
)
def test_names_come_from_names(name: str, product: str, tmp_path: Path, search_path: str) -> None:
    (tmp_path / name).write_bytes(b"")
    job = {"input_file": cwl_file(tmp_path / name)}
    run = run_cwl(PUBLISHED / "internal" / "output_names.cwl", job, tmp_path, search_path)
    assert run.exit_code == 0, run.log
    assert run.outputs == {
        "output_filename": product,
        "log_filename": f"{product}.log",
        "provenance_log_filename": f"{product}.provlog",
    }


@pytest.mark.parametrize("kind", ["truncated", "no event file"])
def test_unsuitable_file_is_a_failure_that_says_so(
    kind: str, hand_over: dict[str, Any], tmp_path: Path, search_path: str
) -> None:
    stream = Path(hand_over["files"][2])
    content = stream.read_bytes()
    damaged = tmp_path / stream.name
    damaged.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"no event\n")
    job = {
        "processing_config": cwl_file(CONFIGURATION),
        "dl0": cwl_file(damaged),
        "dl1_filename": "broken.dl1.h5",
    }
    run = run_cwl(WORKFLOWS / "tools/process_dl0_dl1.cwl", job, tmp_path, search_path)
    assert run.exit_code != 0
    assert "ERROR" in run.log


@pytest.mark.skipif(not SIMULATIONS.is_dir(), reason="no shared simulations beside this checkout")
def test_simulation_becomes_reconstructed_showers(tmp_path: Path, search_path: str) -> None:
    simulation = min(SIMULATIONS.glob("gamma_diffuse*.simtel.zst"))
    job = {"processing_config": cwl_file(CONFIGURATION), "dl0": cwl_file(simulation)}
    run = run_cwl(WORKFLOWS / "workflows/workflow_dl0_to_dl2.cwl", job, tmp_path, search_path)
    assert run.exit_code == 0, run.log
    assert run.path("dl2").name == simulation.name.replace(".simtel.zst", ".dl2.h5")
    rows = product_contents(PIPELINES, run.path("dl2")).rows
    assert rows["/dl2/event/subarray/geometry/HillasReconstructor"] == rows["/dl1/event/subarray/trigger"] > 0


@pytest.mark.skipif(not SIMULATIONS.is_dir(), reason="no shared simulations beside this checkout")
def test_simulation_that_ends_too_early_is_a_failure(tmp_path: Path, search_path: str) -> None:
    (truncated,) = SIMULATIONS.glob("test_lasercal_v3.simtel.gz")
    job = {
        "processing_config": cwl_file(CONFIGURATION),
        "dl0": cwl_file(truncated),
        "dl1_filename": "broken.dl1.h5",
    }
    run = run_cwl(WORKFLOWS / "tools/process_dl0_dl1.cwl", job, tmp_path, search_path)
    assert run.exit_code != 0
    assert "File seems to be truncated" in run.log
