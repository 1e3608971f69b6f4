"""Production files: what is accepted, and that every refusal names file, key and next step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.domain.errors import InvalidInput, NotAuthorized
from dpps.domain.principals import Principal, Role
from dpps.testing.small_workload import SmallWorkload, copy_production, simulated, small_storages
from dpps.workload.checking import check_process
from dpps.workload.definition import ProductionDefinition
from dpps.workload.outputs import configuration_id
from dpps.workload.production_file import read_production

PROCESSES = CwltoolProcesses()


@pytest.fixture
def system(tmp_path: Path) -> SmallWorkload:
    made = SmallWorkload(
        datasets=MemoryNamedDatasets(),
        folder=tmp_path,
        catalogue=MemoryCatalogue(small_storages(tmp_path)),
        store=MemoryWorkStore(),
        engine=MemoryEngine(lambda bundle: bundle),
    )
    made.archive("run1", b"events\n", simulated(1))
    return made


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = copy_production(folder)
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
    return path


def first(content: dict[str, Any]) -> dict[str, Any]:
    step: dict[str, Any] = content["transformations"][0]
    return step


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "unknown key": (lambda c: c.update(prioritty=3), r"prioritty: there is no such key"),
    "unknown key in a step": (lambda c: first(c).update(cvl="x"), r"transformations\.0\.cvl"),
    "missing key": (lambda c: first(c).pop("outputs"), r"transformations\.0\.outputs: this key is required"),
    "name": (lambda c: c.update(production="Night 1"), r"production: use 1 to 40"),
    "priority": (lambda c: c.update(priority=11), r"priority"),
    "no document": (lambda c: first(c).update(cwl="none.cwl"), r"cwl: there is no file"),
    "two origins": (
        lambda c: first(c)["inputs"]["source"].update({"from": "a.b"}),
        r"one of 'query', 'dataset' and 'from'",
    ),
    "unknown grouping": (
        lambda c: first(c)["inputs"]["source"].update(group={"by": "moon"}),
        r"there is no grouping 'moon'",
    ),
    "unknown source": (
        lambda c: c["transformations"][1]["inputs"]["source"].update({"from": "dl9.copy"}),
        r"dl2\.inputs\.source\.from: there is no transformation 'dl9'",
    ),
    "unknown output of a source": (
        lambda c: c["transformations"][1]["inputs"]["source"].update({"from": "dl1.x"}),
        r"has no output 'x'; it has copy",
    ),
    "cycle": (
        lambda c: first(c)["inputs"].update(source={"from": "dl2.copy"}),
        r"wait for one another",
    ),
    "twice the same name": (
        lambda c: c["transformations"][1].update(name="dl1", inputs={"source": {"query": ""}}),
        r"two transformations are named dl1",
    ),
    "unknown CWL input": (
        lambda c: first(c)["inputs"].update(sauce={"query": "", "group": {"by": "all"}}),
        r"inputs\.sauce: the CWL document has no such name; it has copy_filename",
    ),
    "unknown parameter": (lambda c: first(c)["parameters"].update(lyne="x"), r"parameters\.lyne"),
    "parameter of another type": (
        lambda c: first(c)["parameters"].update(exit_code="seven"),
        r"parameters\.exit_code: the CWL input takes int, and 'seven' is not that",
    ),
    "files for a string": (
        lambda c: first(c)["inputs"].update(line={"query": "", "group": {"by": "all"}}),
        r"inputs\.line: the CWL input takes string, not files",
    ),
    "parameter missing": (lambda c: first(c)["parameters"].pop("line"), r"needs values for line"),
    "unknown CWL output": (
        lambda c: c["transformations"][1].update(outputs={"x": {"product": "DL2/Event/Subarray/AirShower"}}),
        r"outputs\.x: the CWL document has no such name; it has copy",
    ),
    "product type": (
        lambda c: first(c)["outputs"]["copy"].update(product="DL1"),
        r"outputs\.copy\.product: write a product type",
    ),
    "query that finds nothing": (
        lambda c: first(c)["inputs"]["source"].update(query="data__level = 'DL5'"),
        r"finds no file",
    ),
    "query that is none": (
        lambda c: first(c)["inputs"]["source"].update(query="data__level ="),
        r"query is not understood",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, system: SmallWorkload, tmp_path: Path) -> None:
    change, message = REFUSED[case]
    with pytest.raises(InvalidInput, match=message) as refused:
        system.submit(edited(tmp_path, change))
    assert refused.value.next_step
    assert system.store.productions() == [], "nothing is half done"


def test_the_right_file_is_accepted(system: SmallWorkload, tmp_path: Path) -> None:
    plan = system.submit(copy_production(tmp_path))
    assert [step.name for step in plan.transformations] == ["dl1", "dl2"]
    assert plan.transformations[0].inputs[0].files == 1
    assert plan.transformations[0].inputs[0].size_bytes == 7
    assert plan.transformations[1].inputs[0].files is None


def test_a_reader_may_not_submit(system: SmallWorkload, tmp_path: Path) -> None:
    system.manager = Principal(name="bob", roles=frozenset({Role.READER}))
    with pytest.raises(NotAuthorized, match="bob"):
        system.submit(copy_production(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be a mapping"),
        ("- a\n", "must be a mapping"),
        ("a: [", "not YAML"),
        ("production: !!python/object/apply:os.system [id]", "not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_no_production_file(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=message):
        read_production(path, PROCESSES)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_production(tmp_path / "none.yaml", PROCESSES)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["production", "transformations", "name", "inputs", "from", "cwl", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_nonsense_is_refused_in_words(content: object, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InvalidInput) as refused:
        read_production(path, PROCESSES)
    assert str(path) in refused.value.message


def test_an_invalid_document_is_named(tmp_path: Path) -> None:
    path = copy_production(tmp_path)
    (tmp_path / "copy.cwl").write_text("cwlVersion: v1.2\nclass: CommandLineTool\ninputs: 5\n")
    with pytest.raises(InvalidInput, match=r"copy\.cwl is not a CWL document"):
        read_production(path, PROCESSES)


def test_configuration_files_travel_inside(tmp_path: Path) -> None:
    (tmp_path / "settings.txt").write_text("one")
    path = edited(
        tmp_path,
        lambda c: first(c)["parameters"].update(extra={"class": "File", "path": "settings.txt"}),
    )
    document = tmp_path / "copy.cwl"
    document.write_text(document.read_text().replace("  line: string", "  line: string\n  extra: File?"))
    one, _ = read_production(path, PROCESSES)
    assert one.transformations[0].configuration_files == {"settings.txt": "b25l"}
    (tmp_path / "settings.txt").write_text("two")
    two, _ = read_production(path, PROCESSES)
    assert configuration_id(one.transformations[0]) != configuration_id(two.transformations[0])


def test_a_configuration_file_that_is_not_there(tmp_path: Path) -> None:
    path = edited(
        tmp_path, lambda c: first(c)["parameters"].update(extra={"class": "File", "path": "none.txt"})
    )
    with pytest.raises(InvalidInput, match=r"parameters\.extra: .*none\.txt cannot be read"):
        read_production(path, PROCESSES)


@pytest.mark.parametrize("name", [".hidden.txt", "..."])
def test_a_configuration_file_that_a_worker_would_refuse(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("one")
    path = edited(tmp_path, lambda c: first(c)["parameters"].update(extra={"class": "File", "path": name}))
    with pytest.raises(InvalidInput, match=r"parameters\.extra: .*begins with a full stop"):
        read_production(path, PROCESSES)


@pytest.mark.parametrize(
    "files", [{"../x": "b25l"}, {"/etc/x": "b25l"}, {".x": "b25l"}, {"x": "no base64"}, {"": "b25l"}]
)
def test_a_definition_with_hostile_configuration_files_is_refused(
    tmp_path: Path, files: dict[str, str]
) -> None:
    definition, _ = read_production(copy_production(tmp_path), PROCESSES)
    plain = definition.model_dump(mode="json", by_alias=True)
    plain["transformations"][0]["configuration_files"] = files
    with pytest.raises(ValidationError, match="configuration_files"):
        ProductionDefinition.model_validate(plain)


@pytest.mark.parametrize(
    "value",
    [{"class": "File"}, {"class": "File", "location": "file:///etc/passwd"}, {"class": "File", "path": "a"}],
)
def test_a_definition_whose_parameters_point_outside_is_refused(
    system: SmallWorkload, tmp_path: Path, value: dict[str, str]
) -> None:
    path = copy_production(tmp_path)
    document = tmp_path / "copy.cwl"
    document.write_text(document.read_text().replace("  line: string", "  line: string\n  extra: File?"))
    definition, _ = read_production(path, PROCESSES)
    step = definition.transformations[0]
    step = step.model_copy(update={"parameters": {**step.parameters, "extra": value}})
    with pytest.raises(InvalidInput, match=r"dl1\.parameters\.extra: .*configuration_files"):
        check_process(definition, step, PROCESSES.describe(step.process))


@pytest.mark.parametrize(
    "change",
    [
        {"run": "file:///etc/passwd"},
        {"arguments": [{"$include": "file:///etc/passwd"}]},
        {"requirements": [{"$import": "http://127.0.0.1/x.yaml"}]},
        {
            "inputs": [
                {"id": "a", "type": "File", "default": {"class": "File", "location": "file:///etc/passwd"}}
            ]
        },
    ],
)
def test_a_process_that_points_outside_is_refused(change: dict[str, Any]) -> None:
    process = {"class": "CommandLineTool", "cwlVersion": "v1.2", "inputs": [], "outputs": [], **change}
    with pytest.raises(InvalidInput, match="points outside"):
        PROCESSES.describe(process)
