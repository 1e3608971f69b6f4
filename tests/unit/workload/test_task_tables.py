"""Tasks that a table lists: reading it, planning, running, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.adapters.cwltool.documents import CwltoolProcesses
from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.engine import MemoryEngine
from dpps.adapters.memory.named_datasets import MemoryNamedDatasets
from dpps.adapters.memory.work_store import MemoryWorkStore
from dpps.domain.errors import InvalidInput
from dpps.domain.names import Lfn
from dpps.testing.listed_production import COLUMNS, PRODUCTION, TABLE, listed_production
from dpps.testing.small_workload import SmallWorkload, small_storages
from dpps.workload.outputs import configuration_id
from dpps.workload.production_file import read_production
from dpps.workload.task_tables import metadata_of, parameters_of, parse_task_table


@pytest.fixture
def system(tmp_path: Path) -> SmallWorkload:
    return SmallWorkload(
        datasets=MemoryNamedDatasets(),
        folder=tmp_path,
        catalogue=MemoryCatalogue(small_storages(tmp_path)),
        store=MemoryWorkStore(),
        engine=MemoryEngine(lambda bundle: bundle),
    )


def test_a_row_is_a_task_with_values_and_products_of_its_own(system: SmallWorkload, tmp_path: Path) -> None:
    plan = system.submit(listed_production(tmp_path))
    (step,) = plan.transformations
    first, second = step.output_names
    assert "101" in first
    assert "102" in second


def test_the_numbers_of_tasks_are_those_of_rows(system: SmallWorkload, tmp_path: Path) -> None:
    system.submit(listed_production(tmp_path))
    tasks = system.store.tasks("runs.simulate")
    assert [(task.number, task.inputs) for task in tasks] == [(1, {}), (2, {})]
    step = system.store.transformation("runs.simulate").definition
    assert step.driver is None
    assert parameters_of(step.task_row(2)) == {"row": 2, "energy": 1}
    assert metadata_of(step.task_row(2))["instance__obs_id"] == 102
    assert len({configuration_id(step), configuration_id(step, 1), configuration_id(step, 2)}) == 3


def test_a_later_pass_makes_the_runs_again_under_other_names(system: SmallWorkload, tmp_path: Path) -> None:
    (first,) = system.submit(listed_production(tmp_path)).transformations
    again = listed_production(tmp_path, text=PRODUCTION.replace("production: runs", "production: again"))
    (second,) = system.submit(again).transformations
    assert not set(first.output_names) & set(second.output_names)
    assert all("/p002/" in Lfn(name).name for name in second.output_names)


def _without(column: str) -> str:
    lines = [line.split(",") for line in TABLE.splitlines()[1:]]
    place = lines[0].index(column)
    return "\n".join(",".join(cell for number, cell in enumerate(line) if number != place) for line in lines)


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no rows": (lambda f: listed_production(f, table=COLUMNS), r"runs\.csv has 0 rows"),
    "nothing": (lambda f: listed_production(f, table=""), "the first line must name each column once"),
    "a column twice": (lambda f: listed_production(f, table="a,a\n1,2"), "name each column once"),
    "a short row": (
        lambda f: listed_production(f, table="row,energy\n1"),
        "row 1 has 1 values for 2 columns",
    ),
    "no such input": (
        lambda f: listed_production(f, table=TABLE.replace("energy", "enrgy")),
        r"simulate\.tasks\.enrgy: the CWL document has no such name",
    ),
    "a wrong value": (
        lambda f: listed_production(f, table=TABLE.replace("2,1,", "2,much,")),
        r"simulate\.tasks\.energy: row 2: the CWL input takes double",
    ),
    "a missing value": (lambda f: listed_production(f, table=_without("energy")), "needs values for energy"),
    "no table": (
        lambda f: listed_production(f, text=PRODUCTION.replace("runs.csv", "none.csv")),
        r"none\.csv cannot be read",
    ),
    "neither inputs nor a table": (
        lambda f: listed_production(f, text=PRODUCTION.replace("    tasks: runs.csv\n", "")),
        "give inputs whose files make the tasks, or a table of tasks",
    ),
    "given twice": (
        lambda f: listed_production(f, text=PRODUCTION + "    parameters: {energy: 1.0}\n"),
        "it is given under 'inputs' or 'parameters' too",
    ),
    "inputs that would make tasks": (
        lambda f: listed_production(
            f, text=PRODUCTION + "    inputs: {label: {query: \"data__level = 'SIM'\"}}\n"
        ),
        r"every task has the same files|takes string",
    ),
    "the same product twice": (
        lambda f: listed_production(f, table=TABLE.replace("102", "101")),
        "two tasks would give the same product",
    ),
    "products that nothing describes": (
        lambda f: listed_production(f, table="row,energy\n1,2.0"),
        "columns of metadata|cannot be derived",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_and_named(system: SmallWorkload, tmp_path: Path, case: str) -> None:
    write, message = REFUSED[case]
    with pytest.raises(InvalidInput, match=message) as refused:
        system.submit(write(tmp_path))
    assert refused.value.next_step
    assert system.store.productions() == []


def test_values_are_numbers_truths_and_words() -> None:
    (row,) = parse_task_table('a, b,c,d__e,f,g\n1,2.5,true,"x, y",1_0,nan\n')
    assert row == {"a": 1, "b": 2.5, "c": True, "d__e": "x, y", "f": "1_0", "g": "nan"}
    assert parameters_of(row) == {"a": 1, "b": 2.5, "c": True, "f": "1_0", "g": "nan"}


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_refused(text: str) -> None:
    try:
        rows = parse_task_table(text)
    except ValueError:
        return
    assert all(set(row) == set(rows[0]) for row in rows)


def test_a_production_that_is_read_is_complete_in_itself(tmp_path: Path) -> None:
    definition, _ = read_production(listed_production(tmp_path), CwltoolProcesses())
    (tmp_path / "runs.csv").unlink()
    kept = type(definition).model_validate_json(definition.model_dump_json(by_alias=True))
    assert kept.transformations[0].task_table == definition.transformations[0].task_table
