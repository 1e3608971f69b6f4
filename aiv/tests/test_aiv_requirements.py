import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dpps_aiv.errors import AivError
from dpps_aiv.identifiers import normalise
from dpps_aiv.requirements import load_requirements
from hypothesis import given, settings
from hypothesis import strategies as st

Entries = Callable[..., dict[str, object]]
Write = Callable[..., Path]


def problems_of(directory: Path) -> str:
    with pytest.raises(AivError) as caught:
        load_requirements(directory)
    assert caught.value.next_step
    return "\n".join(caught.value.problems)


def test_ids_are_the_same_with_and_without_prefix(write_requirements: Write, entries: Entries) -> None:
    directory = write_requirements(
        {
            "bdms": [
                entries("DPPS-UC-110-1.10", parents=["UC-110-1"]),
                entries("UC-110-1.9"),
                entries("UC-110-1"),
            ]
        }
    )
    requirements = load_requirements(directory)
    assert list(requirements.entries) == ["UC-110-1", "UC-110-1.9", "UC-110-1.10"]
    assert requirements.children()["UC-110-1"] == ["UC-110-1.10"]
    assert requirements.subsystems["UC-110-1.9"] == "bdms"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tytle": "x"}, "unknown key 'tytle'; did you mean 'title'?"),
        ({"kind": "requirement"}, "is the identifier of a use case"),
        ({"verification": "guess"}, "verification: Input should be"),
        ({"release": "0.1"}, "release: String should match"),
        ({"release": 0.1}, "release: Input should be a valid string"),
        ({"title": "  "}, "title: String should have at least 1 character"),
        ({"parents": ["nonsense"]}, "parents.0: 'nonsense' is not an identifier"),
        ({"parents": "UC-110-1"}, "parents: Input should be a valid tuple"),
    ],
)
def test_wrong_entry_names_file_and_id(
    write_requirements: Write, entries: Entries, changes: dict[str, object], message: str
) -> None:
    directory = write_requirements({"bdms": [entries("UC-110-1"), entries("UC-110-2", **changes)]})
    text = problems_of(directory)
    assert f"{directory / 'bdms.yaml'}: UC-110-2: " in text
    assert message in text


def test_every_problem_of_every_file_is_told(write_requirements: Write, entries: Entries) -> None:
    directory = write_requirements(
        {
            "bdms": [entries("UC-110-1", release="x")],
            "wms": [entries("UC-100-2", kind="wish"), {"title": "nameless"}],
        }
    )
    text = problems_of(directory)
    assert "bdms.yaml: UC-110-1: release" in text
    assert "wms.yaml: UC-100-2: kind" in text
    assert "wms.yaml: entry 2: id: Field required" in text


def test_duplicate_across_files_is_an_error(write_requirements: Write, entries: Entries) -> None:
    directory = write_requirements({"bdms": [entries("UC-110-1")], "wms": [entries("DPPS-UC-110-1")]})
    text = problems_of(directory)
    assert f"{directory / 'wms.yaml'}: UC-110-1: is already defined in {directory / 'bdms.yaml'}" in text


def test_unknown_parent_is_an_error_with_near_ones(write_requirements: Write, entries: Entries) -> None:
    directory = write_requirements(
        {"bdms": [entries("UC-110-1.1"), entries("UC-110-1.1.1", parents=["UC-110-1.2"])]}
    )
    assert "bdms.yaml: UC-110-1.1.1: unknown parent 'UC-110-1.2'; did you mean 'UC-110-1.1" in problems_of(
        directory
    )


def test_cycle_is_an_error_that_shows_it(write_requirements: Write, entries: Entries) -> None:
    directory = write_requirements(
        {
            "bdms": [entries("UC-110-1", parents=["UC-110-2"]), entries("UC-110-2", parents=["UC-110-3"])],
            "wms": [entries("UC-110-3", parents=["UC-110-1"])],
        }
    )
    text = problems_of(directory)
    assert "is its own parent" in text
    assert text.count("→") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subsystem: bdms\nrequirements: [", "is not valid YAML"),
        ("subsystem: bdms\nsubsystem: wms\n", "key 'subsystem' is given twice"),
        ("", "Input should be a valid dictionary"),
        ("subsystem: bdms\nrequirements: []\n", "requirements: Tuple should have at least 1 item"),
        ("subsystem: bdms\nrequirements: [just text]\n", "entry 1"),
        ("subsystem: !!python/object/apply:os.system ['true']\n", "is not valid YAML"),
        ("[" * 5000, "is not valid YAML"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bdms.yaml").write_text(text)
    problems = problems_of(tmp_path)
    assert str(tmp_path / "bdms.yaml") in problems
    assert message in problems


def test_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bdms.yaml").write_bytes(b"subsystem: \xff")
    assert "bdms.yaml: is not UTF-8 text (byte 11)" in problems_of(tmp_path)


def test_misnamed_subsystem_is_an_error(tmp_path: Path, write_requirements: Write, entries: Entries) -> None:
    directory = write_requirements({"bdms": [entries("UC-110-1")]})
    (directory / "bdms.yaml").rename(directory / "wms.yml")
    assert "wms.yml: subsystem is 'bdms', but the file is named 'wms'" in problems_of(directory)


def test_missing_and_empty_folders_are_errors(tmp_path: Path) -> None:
    assert "there is no such folder" in problems_of(tmp_path / "nowhere")
    assert "holds no requirements" in problems_of(tmp_path)


KEYS = ["id", "kind", "title", "text", "parents", "verification", "release", "other"]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["UC-1", "test", "0.1.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(document=st.fixed_dictionaries({"subsystem": VALUES, "requirements": VALUES}) | VALUES)
def test_any_document_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, document: Any
) -> None:
    directory = tmp_path_factory.mktemp("documents")
    path = directory / "bdms.yaml"
    path.write_text(json.dumps(document))
    problems: tuple[str, ...] = ()
    identifiers: list[str] = []
    try:
        identifiers = list(load_requirements(directory).entries)
    except AivError as error:
        problems = error.problems
    assert bool(problems) != bool(identifiers)
    assert all(problem.startswith(str(path)) for problem in problems)
    assert all(normalise(identifier) == identifier for identifier in identifiers)


def test_requirements_of_this_project_are_in_order() -> None:
    directory = Path(__file__).parents[2] / "requirements"
    requirements = load_requirements(directory)
    assert {"UC-110-1.1.1", "UC-110-1.6", "UC-000-1", "C-BDMS-0210"} <= set(requirements.entries)
