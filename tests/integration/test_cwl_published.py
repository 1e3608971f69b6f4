"""The CWL documents keep the interface that DataPipe publishes: paths, names, types and defaults."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dpps.adapters.cwltool.documents import CwltoolProcesses

pytestmark = pytest.mark.pipelines

WORKFLOWS = Path(__file__).parents[2] / "workflows"
#: All in one folder, as published.
PUBLISHED_FOLDER = WORKFLOWS / "datapipe"
PUBLISHED: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("published_datapipe.yaml").read_text(encoding="utf-8")
)


def _types(stated: Any) -> Iterator[str]:
    """Give the alternatives of a type of CWL."""
    if isinstance(stated, list):
        for one in stated:
            yield from _types(one)
    elif isinstance(stated, Mapping):
        yield f"{stated['items']}[]"
    else:
        yield str(stated).removesuffix("?")
        if str(stated).endswith("?"):
            yield "null"


def _is_optional(entry: Mapping[str, Any]) -> bool:
    return "default" in entry or "null" in _types(entry["type"])


def _entry(stated: Any) -> Mapping[str, Any]:
    return stated if isinstance(stated, Mapping) else {"type": stated}


@pytest.fixture(scope="module")
def processes() -> CwltoolProcesses:
    return CwltoolProcesses()


@pytest.mark.parametrize("name", PUBLISHED)
def test_document_keeps_the_published_interface(name: str) -> None:
    content = yaml.safe_load((PUBLISHED_FOLDER / name).read_text(encoding="utf-8"))
    assert content["cwlVersion"] == "v1.2"
    inputs = {key: _entry(stated) for key, stated in content["inputs"].items()}
    published = PUBLISHED[name]["inputs"]
    assert set(published) <= set(inputs)
    for key, expected in published.items():
        assert set(_types(expected["type"])) <= set(_types(inputs[key]["type"])), f"type of {key}"
        assert inputs[key].get("default") == expected.get("default"), f"default of {key}"
        assert _is_optional(inputs[key]) or not _is_optional(expected), f"{key} has to be given"
    for key in set(inputs) - set(published):
        assert _is_optional(inputs[key]), f"{key}, which is not published, has to be given"
    outputs = {key: _entry(stated)["type"] for key, stated in content["outputs"].items()}
    for key, expected in PUBLISHED[name]["outputs"].items():
        assert set(_types(outputs[key])) == set(_types(expected)), f"type of {key}"


@pytest.mark.parametrize("name", [name for name in PUBLISHED if "/" not in name])
def test_published_path_names_a_document_that_runs(name: str, processes: CwltoolProcesses) -> None:
    """What a workflow refers to is found from this folder too."""
    described = processes.describe(processes.pack(PUBLISHED_FOLDER / name))
    assert set(PUBLISHED[name]["inputs"]) <= set(described.inputs)
    assert set(PUBLISHED[name]["outputs"]) <= set(described.outputs)
