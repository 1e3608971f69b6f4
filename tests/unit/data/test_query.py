from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpps.data.query import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Not,
    OneOf,
    Presence,
    Query,
    format_query,
    keys_of,
    matches,
    parse_query,
)
from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue

TEXT_KEYS = st.sampled_from(["data__level", "dpps__production", "activity__inputs__3__uri"])
NUMBER_KEYS = st.sampled_from(["instance__obs_id", "simulation__node__zenith", "obs_id"])
TEXTS = st.text(max_size=20)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ORDERINGS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUALITIES = st.sampled_from(["=", "!="])
LEAVES: st.SearchStrategy[Query] = st.one_of(
    st.builds(Comparison, key=TEXT_KEYS, operator=ORDERINGS, value=TEXTS),
    st.builds(Comparison, key=NUMBER_KEYS, operator=ORDERINGS, value=NUMBERS),
    st.builds(Comparison, key=TEXT_KEYS, operator=st.just("like"), value=TEXTS),
    st.builds(Comparison, key=st.just("dpps__toy"), operator=EQUALITIES, value=st.booleans()),
    st.builds(Comparison, key=st.just("tel_ids"), operator=st.just("contains"), value=st.integers()),
    st.builds(OneOf, key=TEXT_KEYS, values=st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
    st.builds(Between, key=NUMBER_KEYS, lowest=NUMBERS, highest=NUMBERS),
    st.builds(Presence, key=TEXT_KEYS, present=st.booleans()),
)
QUERIES = st.just(EVERYTHING) | st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


@settings(deadline=None)  # the first one reads the data model
@given(query=QUERIES)
def test_formatting_and_parsing_are_inverse(query: Query) -> None:
    assert parse_query(format_query(query)) == query


@settings(deadline=None)
@given(expression=st.text(max_size=40) | st.lists(
    st.sampled_from(["data__level", "=", "'DL0'", "and", "or", "not", "(", ")", "in", ",", "is", "missing",
    "1"]), max_size=12,
).map(" ".join))  # fmt: skip
def test_any_text_is_parsed_or_refused(expression: str) -> None:
    with contextlib.suppress(InvalidInput):
        query = parse_query(expression)
        assert parse_query(format_query(query)) == query


def test_words_bind_as_usual() -> None:
    a, b, c = (Comparison(key="obs_id", operator="=", value=number) for number in (1, 2, 3))
    assert parse_query("obs_id = 1 or obs_id = 2 AND not obs_id = 3") == AnyOf((a, AllOf((b, Not(c)))))
    assert parse_query("(obs_id = 1 or obs_id = 2) and obs_id = 3") == AllOf((AnyOf((a, b)), c))
    assert parse_query("obs_id not in (1)") == Not(OneOf(key="obs_id", values=(1,)))
    assert keys_of(parse_query("obs_id = 1 or not (sb_id = 2)")) == {"obs_id", "sb_id"}


@pytest.mark.parametrize(
    ("expression", "column", "told"),
    [
        ("data__level 'DL0'", 13, "operator"),
        ("data__level = DL0", 15, "single quotes"),
        ("data__level = 'DL0", 15, "not closed"),
        ("data__level = 'DL0' data__level = 'DL1'", 21, "'and' or 'or'"),
        ("data__level = 'DL0' and", 24, "key is expected"),
        ("= 'DL0'", 1, "key is expected"),
        ("obs_id = 1 and ; drop", 16, "';'"),
        ("obs_id like 3", 8, "no meaning"),
        ("data__level like 3", 18, "needs a text"),
        ("dpps__toy < true", 11, "true or false"),
        ("creation_time > 'yesterday'", 17, "UTC time"),
        ("instance__obs_id = '12'", 20, "a number"),
        ("data__level = 0", 15, "a text"),
        ("dpps__toy = 1", 13, "true or false"),
        ("obs_id = true", 10, "a number"),
        ("obs_id in 3", 11, r"'\(' is expected"),
        ("obs_id in (3", 13, r"'\)' is expected"),
        ("obs_id between 3 or 4", 18, "'and' is expected"),
        ("(obs_id = 3", 12, r"'\)' is expected"),
        ("obs_id is absent", 11, "'missing' or 'present'"),
        ("obs_id contains 3", 8, "no list"),
        ("obs_id not = 3", 12, "'between' is expected"),
        ("instance_obs_id = 3", 1, "did you mean instance__obs_id"),
        ("ObsId = 3", 1, "no metadata key 'ObsId'"),
        ("not " * 60 + "obs_id = 3", 201, "nested deeper"),
    ],
)  # fmt: skip
def test_errors_point_at_the_column(expression: str, column: int, told: str) -> None:
    with pytest.raises(InvalidInput, match=f"column {column}: .*{told}") as caught:
        parse_query(expression)
    lines = caught.value.message.splitlines()
    assert lines[-1].index("^") == lines[-2].index(expression[0]) + column - 1
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2026-02-14", "2026-02-14T00:00:00.000000000"),
        ("2026-02-14 21:30", "2026-02-14T21:30:00.000000000"),
        ("2026-02-14T21:30:05.25Z", "2026-02-14T21:30:05.250000000"),
    ],
)
def test_times_are_brought_to_the_form_of_metadata(written: str, canonical: str) -> None:
    wanted = Comparison(key="start_time", operator=">=", value=canonical)
    assert parse_query(f"start_time >= '{written}'") == wanted


KEYS = {
    "level": "string",
    "obs": "integer",
    "zenith": "number",
    "toy": "boolean",
    "tels": "integers",
    "inputs": "strings",
    "lacking": "integer",
    "wrong": "integer",
}
METADATA: dict[str, MetadataValue] = {
    "level": "DL0",
    "obs": 12,
    "zenith": 20.5,
    "toy": False,
    "tels": [1, 4],
    "inputs": ["/ctao/a", "/ctao/b"],
    "wrong": "written by someone else",
}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("", True),
        ("level = 'DL0'", True),
        ("level != 'DL0'", False),
        ("level like 'DL%'", True),
        ("level like 'D*0'", True),
        ("level like 'L%'", False),
        ("level not like 'L%'", True),
        ("level like '_L0'", False),
        ("level in ('DL1', 'DL0')", True),
        ("level not in ('DL1', 'DL0')", False),
        ("obs = 12", True),
        ("obs = 12.0", True),
        ("obs > 11 and obs <= 12", True),
        ("obs between 12 and 13", True),
        ("obs not between 12 and 13", False),
        ("zenith < 20", False),
        ("zenith < 20 or obs = 12", True),
        ("not (zenith < 20 or obs = 12)", False),
        ("toy = false", True),
        ("tels = 4", True),
        ("tels != 4", False),
        ("tels = 2", False),
        ("tels contains 1", True),
        ("tels not contains 2", True),
        ("tels in (2, 3)", False),
        ("tels between 2 and 3", False),
        ("inputs like '%/b'", True),
        ("inputs contains '/ctao/a'", True),
        ("lacking = 1", False),
        ("lacking != 1", False),
        ("not lacking = 1", False),
        ("lacking not in (1, 2)", False),
        ("lacking = 1 or obs = 12", True),
        ("lacking is missing", True),
        ("not lacking is present", True),
        ("level is present", True),
        ("wrong = 1", False),
        ("wrong != 1", False),
        ("not wrong < 1", False),
    ],
)  # fmt: skip
def test_conditions_on_metadata(expression: str, met: bool) -> None:
    assert matches(METADATA, parse_query(expression, KEYS)) is met
