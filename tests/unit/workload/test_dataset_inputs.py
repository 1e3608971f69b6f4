"""A production reads a named dataset: a stored query as it is now, or a fixed list as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.data.named_datasets import NamedDataset, freeze_dataset, save_dataset
from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn
from dpps.testing.small_workload import SmallWorkload, copy_production, simulated, small_storages
from dpps.workload.planning import Plan, summarize_plan

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def system(tmp_path: Path) -> SmallWorkload:
    (tmp_path / "in").mkdir()
    return SmallWorkload(
        datasets=MemoryNamedDatasets(),
        folder=tmp_path / "system",
        catalogue=MemoryCatalogue(small_storages(tmp_path / "system")),
        store=MemoryWorkStore(),
        engine=MemoryEngine(lambda _bundle: None),
    )


def save(system: SmallWorkload, expression: str) -> None:
    dataset = NamedDataset(name="crab", expression=expression, saved_at=NOW, owner=system.manager.name)
    save_dataset(system.manager, system.datasets, dataset)


def submit(system: SmallWorkload, tmp_path: Path, *, dataset: str = "crab") -> Plan:
    path = copy_production(tmp_path / "in")
    query = """{query: "data__level = 'SIM'"}"""
    text = path.read_text()
    assert query in text
    path.write_text(text.replace(query, f"{{dataset: {dataset}}}"))
    return system.submit(path)


def test_a_stored_query_gives_what_it_finds(system: SmallWorkload, tmp_path: Path) -> None:
    for number in (1, 2):
        system.archive(f"run{number}", b"x", simulated(number))
    save(system, "instance__obs_id = 2")

    plan = submit(system, tmp_path)

    (task,) = plan.transformations[0].tasks
    assert task.inputs == {"source": ("/ctao/dpps/SIM/run2",)}
    steps = summarize_plan(plan)["transformations"]
    assert isinstance(steps, list)
    assert steps[0]["inputs"][0]["origin"] == "dataset crab"
    kept = system.store.transformation("night.dl1").definition.inputs["source"]
    assert (kept.dataset, kept.query) == ("crab", None)


def test_a_fixed_list_stays_as_it_was(system: SmallWorkload, tmp_path: Path) -> None:
    system.archive("run1", b"x", simulated(1))
    save(system, "data__level = 'SIM'")
    freeze_dataset(system.manager, system.catalogue, system.datasets, "crab", NOW)
    system.archive("run2", b"x", simulated(2))

    (task,) = submit(system, tmp_path).transformations[0].tasks
    assert task.inputs == {"source": ("/ctao/dpps/SIM/run1",)}


def test_an_unknown_dataset_is_refused_with_its_place(system: SmallWorkload, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match="'dl1', input 'source': there is no named dataset 'none'"
    ) as wrong:
        submit(system, tmp_path, dataset="none")
    assert (wrong.value.code, wrong.value.identifiers) == ("dataset-unknown", {"dataset": "none"})
    assert wrong.value.next_step == "list them: dpps data dataset list"


def test_a_dataset_that_finds_nothing_is_refused(system: SmallWorkload, tmp_path: Path) -> None:
    save(system, "instance__obs_id = 3")
    with pytest.raises(InvalidInput, match="finds no file: crab") as wrong:
        submit(system, tmp_path)
    assert wrong.value.code == "dataset-empty"
    assert "dpps data dataset show crab" in wrong.value.next_step


def test_a_fixed_list_with_a_file_that_is_gone_is_refused(system: SmallWorkload, tmp_path: Path) -> None:
    system.archive("run1", b"x", simulated(1))
    save(system, "data__level = 'SIM'")
    frozen = system.datasets.get("crab")
    assert frozen is not None
    lost = [Lfn("/ctao/dpps/SIM/run1"), Lfn("/ctao/dpps/SIM/lost")]
    system.datasets.freeze("crab", lost, lambda: replace(frozen, frozen_at=NOW))

    with pytest.raises(InvalidInput, match="does not have 1 files") as wrong:
        submit(system, tmp_path)
    assert wrong.value.code == "dataset-incomplete"
    assert str(wrong.value.identifiers["lfn"]) == "/ctao/dpps/SIM/lost"


@pytest.mark.parametrize(
    "origin", ["{}", "{dataset: a, query: \"data__level = 'SIM'\"}", "{dataset: a, from: dl1.copy}"]
)
def test_an_input_has_one_origin(system: SmallWorkload, tmp_path: Path, origin: str) -> None:
    path = copy_production(tmp_path / "in")
    path.write_text(path.read_text().replace("""{query: "data__level = 'SIM'"}""", origin))
    with pytest.raises(InvalidInput, match="give one of 'query', 'dataset' and 'from'"):
        system.submit(path)
