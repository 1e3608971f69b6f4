from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.data.ports import Comparison
from dpps.data.query import format_query, matches, parse_query
from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue
from dpps.products.metadata import TIME_KEYS

KEYS = st.from_regex(r"[a-z][a-z0-9]{0,8}(__[a-z][a-z0-9_]{0,8})?", fullmatch=True).filter(
    lambda key: key not in TIME_KEYS
)
TEXTS = st.text(max_size=20)
ORDERINGS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
NUMBERS = st.one_of(
    st.integers(min_value=-(10**18), max_value=10**18), st.floats(allow_nan=False, allow_infinity=False)
)
CONDITIONS = st.one_of(
    st.builds(Comparison, key=KEYS, operator=ORDERINGS, value=TEXTS),
    st.builds(Comparison, key=KEYS, operator=ORDERINGS, value=NUMBERS),
    st.builds(Comparison, key=KEYS, operator=st.just("like"), value=TEXTS),
    st.builds(Comparison, key=KEYS, operator=st.sampled_from(["=", "!="]), value=st.booleans()),
)


@given(st.lists(CONDITIONS, max_size=4))
def test_formatting_and_parsing_are_inverse(conditions: list[Comparison]) -> None:
    assert parse_query(format_query(conditions)) == conditions


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_with_a_column(expression: str) -> None:
    try:
        conditions = parse_query(expression)
    except InvalidInput as error:
        column = error.identifiers["column"]
        assert isinstance(column, int)
        assert 1 <= column <= len(expression) + 1
    else:
        assert bool(conditions) == bool(expression.strip())


def test_the_expression_of_the_contracts_page() -> None:
    assert parse_query("data__level = 'DL0' and instance__obs_id = 2000000456") == [
        Comparison(key="data__level", operator="=", value="DL0"),
        Comparison(key="instance__obs_id", operator="=", value=2000000456),
    ]


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("data__level 'DL0'", 13),
        ("data__level = DL0", 15),
        ("data__level = 'DL0", 15),
        ("data__level = 'DL0' or a = 1", 21),
        ("data__level = 'DL0' and", 24),
        ("= 'DL0'", 1),
        ("a = 1 and ; drop", 11),
        ("a like 3", 8),
        ("a < true", 3),
        ("creation_time > 'yesterday'", 17),
    ],
)
def test_errors_point_at_the_column(expression: str, column: int) -> None:
    with pytest.raises(InvalidInput, match=f"column {column}:") as caught:
        parse_query(expression)
    lines = caught.value.message.splitlines()
    assert lines[-1].index("^") == lines[-2].index(expression[0]) + column - 1


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2026-02-14", "2026-02-14T00:00:00.000000000"),
        ("2026-02-14 21:30", "2026-02-14T21:30:00.000000000"),
        ("2026-02-14T21:30:05.25Z", "2026-02-14T21:30:05.250000000"),
    ],
)
def test_times_are_brought_to_the_form_of_metadata(written: str, canonical: str) -> None:
    assert parse_query(f"start_time >= '{written}'")[0].value == canonical


METADATA: dict[str, MetadataValue] = {
    "level": "DL0",
    "obs": 12,
    "zenith": 20.5,
    "toy": False,
    "tels": [1, 4],
    "inputs": ["/ctao/a", "/ctao/b"],
}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("level = 'DL0'", True),
        ("level != 'DL0'", False),
        ("level like 'DL%'", True),
        ("level like 'D*0'", True),
        ("level like 'L%'", False),
        ("level like '_L0'", False),
        ("obs = 12", True),
        ("obs = 12.0", True),
        ("obs = '12'", False),
        ("obs != '12'", True),
        ("obs > 11 and obs <= 12", True),
        ("zenith < 20", False),
        ("toy = false", True),
        ("toy = 0", False),
        ("tels = 4", True),
        ("tels = 2", False),
        ("inputs like '%/b'", True),
        ("missing = 1", False),
        ("missing != 1", False),
    ],
)
def test_conditions_on_metadata(expression: str, met: bool) -> None:
    assert all(matches(METADATA, condition) for condition in parse_query(expression)) is met
