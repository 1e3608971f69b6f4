"""What a step makes must be what the next one expects: seen before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.domain.errors import InvalidInput
from dpps.domain.work import ProductionState
from dpps.testing.small_workload import copy_production, simulated
from tests.unit.workload.conftest import Rig

HDF5 = "http://edamontology.org/format_3590"
FITS = "http://edamontology.org/format_2333"


@pytest.fixture
def linked(rig: Rig, tmp_path: Path) -> Iterator[Path]:
    """Give a production of two copying steps, the documents of which may be edited apart."""
    rig.system.archive("run1", b"events\n", simulated(1) | {"data__division": "Event"})
    path = copy_production(tmp_path)
    document = (tmp_path / "copy.cwl").read_text()
    for name in ("first", "second"):
        (tmp_path / f"{name}.cwl").write_text(document)
    before, after = path.read_text().split("  - name: dl2")
    path.write_text(
        before.replace("copy.cwl", "first.cwl") + "  - name: dl2" + after.replace("copy.cwl", "second.cwl")
    )
    yield path
    assert rig.lost_reports == set()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def state_formats(folder: Path, made: str, wanted: str, *, more: str = "") -> None:
    edit(folder / "first.cwl", "copy: {type: File,", f"copy: {{type: File, format: {made},")
    edit(folder / "second.cwl", "source: File", f"source: {{type: File, format: {wanted}}}")
    for name in ("first.cwl", "second.cwl"):
        text = (folder / name).read_text()
        (folder / name).write_text(f"$namespaces: {{edam: 'http://edamontology.org/'}}\n{more}{text}")


def test_formats_that_do_not_fit_are_refused_with_both_steps(rig: Rig, linked: Path, tmp_path: Path) -> None:
    state_formats(tmp_path, "edam:format_2333", f"[edam:format_3590, '{HDF5}b']")
    with pytest.raises(InvalidInput, match=f"'dl2' takes files of the format {HDF5} or .*'dl1' is {FITS}"):
        rig.system.submit(linked)
    assert rig.store.productions() == []


def test_files_of_the_stated_format_are_processed(rig: Rig, linked: Path, tmp_path: Path) -> None:
    state_formats(tmp_path, "edam:format_3590", HDF5)
    rig.system.submit(linked)
    assert rig.finish() is ProductionState.DONE


@pytest.mark.parametrize(("made", "wanted"), [("$(inputs.source.format)", HDF5), (HDF5, '$("x")')])
def test_formats_that_are_computed_are_not_compared(tmp_path: Path, made: str, wanted: str) -> None:
    text = f"""
cwlVersion: v1.2
class: CommandLineTool
requirements: {{InlineJavascriptRequirement: {{}}}}
baseCommand: "true"
inputs: {{source: {{type: File, format: {wanted!r}}}}}
outputs: {{out: {{type: File, format: {made!r}, outputBinding: {{glob: x}}}}}}
"""
    (tmp_path / "tool.cwl").write_text(text)
    processes = CwltoolProcesses()
    described = processes.describe(processes.pack(tmp_path / "tool.cwl"))
    found = (described.outputs["out"].formats, described.inputs["source"].formats)
    assert found == (frozenset({made} & {HDF5}), frozenset({wanted} & {HDF5}))


def test_another_product_than_expected_is_refused_with_both_steps(rig: Rig, linked: Path) -> None:
    edit(linked, "{from: dl1.copy}", "{from: dl1.copy, product: DL1/Event/Telescope/AirShower}")
    wrong = "'dl2' expects DL1/Event/Telescope/AirShower, .*'dl1' is DL1/Event/Subarray/AirShower"
    with pytest.raises(InvalidInput, match=wrong):
        rig.system.submit(linked)
    edit(linked, "DL1/Event/Telescope/AirShower", "DL1/Event/Subarray/AirShower")
    rig.system.submit(linked)


@pytest.mark.parametrize(
    ("product", "message"),
    [("DL1/Event", "run1 is SIM/Event"), ("SIM/Service", "is SIM/Event"), ("SIM/Event", "")],
)
def test_files_of_another_product_type_are_refused(
    rig: Rig, linked: Path, product: str, message: str
) -> None:
    edit(linked, "\"data__level = 'SIM'\"", f"\"data__level = 'SIM'\", product: {product}")
    if not message:
        rig.system.submit(linked)
        return
    with pytest.raises(InvalidInput, match=message) as refused:
        rig.system.submit(linked)
    assert refused.value.code == "product-unexpected"
