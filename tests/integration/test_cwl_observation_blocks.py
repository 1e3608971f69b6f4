"""DataPipe's CWL on the streams of an observation block: telescopes, files, calibration."""

import json
from pathlib import Path
from typing import Any

import pytest

from dpps.testing.cwl_runs import CwlRun, cwl_file, product_contents, program_path, run_cwl, toy_streams

pytestmark = pytest.mark.pipelines

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / "workflows"
CONFIGURATIONS = WORKFLOWS / "configurations"
PROGRAMS = REPOSITORY / ".envs" / "pipelines" / "bin"
N_TOY_EVENTS = 3


@pytest.fixture(scope="module")
def search_path() -> str:
    if not (PROGRAMS / "dpps-datapipe").exists():
        pytest.skip("the pipelines environment is not installed: run `make setup`")
    return program_path(PROGRAMS)


def _configuration(name: str) -> dict[str, str]:
    return cwl_file(CONFIGURATIONS / f"{name}.yaml")


def _done(run: CwlRun) -> CwlRun:
    assert run.exit_code == 0, run.log
    return run


def _records(path: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return records


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory, search_path: str) -> list[Path]:
    """Streams of two telescopes of one observation block."""
    assert search_path
    return toy_streams(PROGRAMS, tmp_path_factory.mktemp("streams"), seed=31, events=N_TOY_EVENTS)[:2]


@pytest.mark.verifies_usecase("UC-130-1.2")
def test_streams_of_an_observation_block_become_showers(
    streams: list[Path], tmp_path: Path, search_path: str
) -> None:
    order = {
        "streams": [cwl_file(path) for path in streams],
        "processing_config": _configuration("process_events"),
    }
    document = WORKFLOWS / "workflows" / "process_observation_block.cwl"
    run = _done(run_cwl(document, order, tmp_path, search_path))
    assert len(run.outputs["stream_provenance_logs"]) == len(streams)
    rows = product_contents(PROGRAMS, run.path("dl2")).rows
    assert rows["/dl2/event/subarray/geometry/HillasReconstructor"] == N_TOY_EVENTS
    images = product_contents(PROGRAMS, run.path("dl1")).rows
    for telescope in ("tel_001", "tel_002"):
        assert images[f"/dl1/event/telescope/images/{telescope}"] == N_TOY_EVENTS


def test_files_are_processed_in_one_process(streams: list[Path], tmp_path: Path, search_path: str) -> None:
    order = {
        "input_files": [cwl_file(path) for path in streams],
        "processing_config": _configuration("process_events"),
        "level": "dl1",
        "write_parameters": True,
        "write_showers": False,
    }
    run = _done(run_cwl(WORKFLOWS / "tools" / "process_files.cwl", order, tmp_path, search_path))
    assert len(run.outputs["products"]) == len(run.outputs["provenance_logs"]) == len(streams)
    names = {entry["basename"].partition(".")[0] for entry in run.outputs["products"]}
    assert names == {path.name.partition(".")[0] for path in streams}


def test_telescope_without_calibration_is_named(
    streams: list[Path], tmp_path: Path, search_path: str
) -> None:
    calibration = tmp_path / "TEL001_camera_calibration.h5"
    calibration.write_bytes(b"")
    order = {
        "streams": [cwl_file(path) for path in streams],
        "camera_calibration_files": [cwl_file(calibration)],
    }
    document = WORKFLOWS / "workflows" / "process_observation_block.cwl"
    run = run_cwl(document, order, tmp_path, search_path)
    assert run.exit_code != 0
    assert "no camera calibration for TEL002" in run.log


@pytest.mark.verifies_usecase("UC-130-1.8")
@pytest.mark.verifies_usecase("UC-130-1.2.1")
def test_many_files_become_one(streams: list[Path], tmp_path: Path, search_path: str) -> None:
    files = [streams[0], toy_streams(PROGRAMS, tmp_path / "toy", seed=32, events=N_TOY_EVENTS)[0]]
    order = {
        "input_files": [cwl_file(path) for path in files],
        "output_filename": "merged.h5",
        "processing_config": _configuration("process_events"),
    }
    document = WORKFLOWS / "workflows" / "process_dl0_dl1_multiple.cwl"
    run = _done(run_cwl(document, order, tmp_path / "run", search_path))
    assert len(run.outputs["intermediate_provenance_log"]) == len(files)
    (record,) = _records(run.path("merge_provenance_log"))
    assert len({entry["sha256"] for entry in record["input"]}) >= len(files)
    assert run.path("merge_provenance_log").name == "ctapipe-merge.provenance.log"
    names = [entry["basename"] for entry in run.outputs["intermediate_provenance_log"]]
    assert all(name.endswith(".provlog") for name in names), names
    rows = product_contents(PROGRAMS, run.path("merged_output")).rows
    for table in ("subarray/trigger", "telescope/images/tel_001", "telescope/parameters/tel_001"):
        assert rows[f"/dl1/event/{table}"] == len(files) * N_TOY_EVENTS, table


def test_unknown_file_name_is_refused(tmp_path: Path, search_path: str) -> None:
    notes = tmp_path / "observation.yaml"
    notes.write_text("site: CTAO-North\n")
    order = {"input_files": [cwl_file(notes)], "output_filename": "merged.h5"}
    document = WORKFLOWS / "workflows" / "process_dl0_dl1_multiple.cwl"
    run = run_cwl(document, order, tmp_path, search_path)
    assert run.exit_code != 0
    assert "no event file by its name: observation.yaml" in run.log
