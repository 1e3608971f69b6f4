import pytest
from dpps_aiv.identifiers import did_you_mean, is_use_case, normalise, sort_key
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.lists(st.integers(0, 99), min_size=1, max_size=4)
USE_CASES = st.builds(
    lambda prefix, area, numbers: f"{prefix}UC-{area:03d}-{'.'.join(map(str, numbers))}",
    st.sampled_from(["", "DPPS-", "SUSS-"]),
    st.integers(0, 999),
    NUMBERS,
)
REQUIREMENTS = st.builds(
    lambda letter, area, number: f"{letter}-{area}-{number:04d}",
    st.sampled_from("ABC"),
    st.sampled_from(["BDMS", "DPPS", "TEL"]),
    st.integers(0, 9999),
)


@given(USE_CASES | REQUIREMENTS)
def test_normalising_twice_changes_nothing(identifier: str) -> None:
    once = normalise(identifier)
    assert normalise(once) == once
    assert is_use_case(once) == ("UC-" in identifier)


@given(USE_CASES | REQUIREMENTS)
def test_prefix_case_and_blanks_do_not_matter(identifier: str) -> None:
    assert normalise(f" DPPS-{normalise(identifier).lower()}\n") == normalise(identifier)


@given(st.text(max_size=200))
def test_any_text_is_normalised_or_refused(text: str) -> None:
    try:
        spelling, refusal = normalise(text), ""
    except ValueError as error:
        spelling, refusal = "", str(error)
    assert "is not an identifier" in refusal or normalise(spelling) == spelling


def test_system_prefix_of_others_and_inner_name_stay() -> None:
    assert normalise("SUSS-UC-100-1.0") == "SUSS-UC-100-1.0"
    assert normalise("B-DPPS-0123") == "B-DPPS-0123"


@pytest.mark.parametrize(
    "text", ["", "DPPS-", "UC-110", "UC-110-", "UC-110-1.", "UC-170-1.2.x", "C-BDMS-33", "DPPS-DPPS-UC-1"]
)
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an identifier"):
        normalise(text)


def test_order_is_by_number() -> None:
    assert sorted(["UC-110-1.10", "UC-110-1.9", "UC-020-2", "C-BDMS-0210"], key=sort_key) == [
        "C-BDMS-0210",
        "UC-020-2",
        "UC-110-1.9",
        "UC-110-1.10",
    ]


def test_near_words_are_offered_and_far_ones_not() -> None:
    assert "'UC-110-1.1.1'" in did_you_mean("UC-110-1.1.2", ["UC-110-1.1.1", "C-BDMS-0210"])
    assert did_you_mean("something else", ["UC-110-1.1.1"]) == ""
