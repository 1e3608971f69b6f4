"""How files become tasks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile, FileContent, MetadataValue
from dpps.domain.names import Lfn
from dpps.testing.work_store_contract import linked_production
from dpps.workload.definition import TransformationDefinition
from dpps.workload.grouping import GROUPINGS, divide, keyed_groups


def file(name: str, **metadata: MetadataValue) -> ArchivedFile:
    return ArchivedFile(
        lfn=Lfn(f"/ctao/dpps/{name}"),
        content=FileContent(size_bytes=1, adler32="00000001"),
        replicas=(),
        metadata={f"instance__{key}": value for key, value in metadata.items()},
    )


def step(**groupings: str) -> TransformationDefinition:
    plain: dict[str, Any] = linked_production().transformations[0].model_dump(by_alias=True)
    plain["inputs"] = {name: {"query": "a = 1", "group": {"by": by}} for name, by in groupings.items()}
    return TransformationDefinition.model_validate(plain)


def names(groups: Any) -> list[dict[str, list[str]]]:
    return [{key: [one.lfn.basename for one in files] for key, files in inputs.items()} for inputs in groups]


def test_one_file_a_task() -> None:
    made = divide(step(dl0="each"), {"dl0": [file("a"), file("b")]})
    assert names(made) == [{"dl0": ["a"]}, {"dl0": ["b"]}]


def test_streams_of_a_chunk_belong_together() -> None:
    streams = [file(f"s{n}c{c}", obs_id=7, ae_id=1, chunk_id=c) for c in (1, 2) for n in (1, 2)]
    made = divide(step(dl0="telescope-chunk"), {"dl0": streams})
    assert names(made) == [{"dl0": ["s1c1", "s2c1"]}, {"dl0": ["s1c2", "s2c2"]}]


def test_all_files_go_to_every_task() -> None:
    made = divide(
        step(events="each", models="all"),
        {"events": [file("a"), file("b")], "models": [file("m"), file("n")]},
    )
    assert names(made) == [
        {"events": ["a"], "models": ["m", "n"]},
        {"events": ["b"], "models": ["m", "n"]},
    ]


def test_inputs_are_matched_by_their_key() -> None:
    made = divide(
        step(array="observation", telescopes="observation"),
        {
            "array": [file("a1", obs_id=1), file("a2", obs_id=2)],
            "telescopes": [file("t2", obs_id=2), file("t1", obs_id=1), file("u1", obs_id=1)],
        },
    )
    assert names(made) == [
        {"array": ["a1"], "telescopes": ["t1", "u1"]},
        {"array": ["a2"], "telescopes": ["t2"]},
    ]


def test_a_task_without_its_match_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'telescopes' has no file that belongs to /ctao/dpps/a1"):
        divide(
            step(array="observation", telescopes="observation"),
            {"array": [file("a1", obs_id=1)], "telescopes": [file("t2", obs_id=2)]},
        )


def test_a_file_without_the_key_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"/ctao/dpps/a has no metadata instance__obs_id"):
        keyed_groups("observation", [file("a")])


def test_an_unknown_grouping_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'moon'"):
        keyed_groups("moon", [])


@given(by=st.sampled_from(sorted(GROUPINGS)), keys=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2))))
def test_no_file_is_lost_or_doubled(by: str, keys: list[tuple[int, int]]) -> None:
    files = [file(f"f{n}", obs_id=o, ae_id=1, chunk_id=c) for n, (o, c) in enumerate(keys)]
    groups = keyed_groups(by, files)
    grouped = [one.lfn for members in groups.values() for one in members]
    assert sorted(grouped) == sorted(one.lfn for one in files)
