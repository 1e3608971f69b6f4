from collections.abc import Callable
from pathlib import Path

import pytest
from dpps_aiv.errors import AivError
from dpps_aiv.junit import Evidence, Observation, Outcome, TestEvidence
from dpps_aiv.matrix import Matrix, Verdict, build_matrix, combine
from dpps_aiv.requirements import Requirements, load_requirements
from hypothesis import given
from hypothesis import strategies as st

Entries = Callable[..., dict[str, object]]
Write = Callable[..., Path]


def observed(identifier: str, *outcomes: Outcome, name: str = "test") -> TestEvidence:
    return TestEvidence(
        name=name,
        identifiers=frozenset({identifier} if identifier else ()),
        observations=tuple(Observation(report="a.xml", outcome=outcome, reason="") for outcome in outcomes),
        steps=(),
    )


def evidence(*tests: TestEvidence, lost: tuple[str, ...] = ()) -> Evidence:
    return Evidence(tests=tests, lost=lost)


def verdicts(matrix: Matrix) -> dict[str, Verdict]:
    return {row.requirement.id: row.verdict for row in matrix.rows}


@pytest.fixture
def family(write_requirements: Write, entries: Entries) -> Requirements:
    """A requirement, its use case, and the two that refine it."""
    listed = [
        entries("C-BDMS-0010"),
        entries("UC-110-1.1", parents=["C-BDMS-0010"]),
        entries("UC-110-1.1.1", parents=["UC-110-1.1"]),
        entries("UC-110-1.1.4", parents=["UC-110-1.1"]),
    ]
    return load_requirements(write_requirements({"bdms": listed}))


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([Outcome.PASSED, Outcome.PASSED], Verdict.VERIFIED),
        ([Outcome.PASSED, Outcome.SKIPPED], Verdict.PARTLY_VERIFIED),
        ([Outcome.SKIPPED, Outcome.SKIPPED], Verdict.NOT_RUN),
        ([Outcome.PASSED, Outcome.FAILED], Verdict.FAILED),
        ([Outcome.PASSED, Outcome.ERROR], Verdict.FAILED),
        ([Outcome.PASSED, Outcome.EXPECTED_FAILURE], Verdict.FAILED),
        ([], Verdict.UNCOVERED),
    ],
)
def test_verdict_from_own_tests(family: Requirements, outcomes: list[Outcome], verdict: Verdict) -> None:
    tests = [observed("UC-110-1.1.1", outcome, name=str(number)) for number, outcome in enumerate(outcomes)]
    row = next(
        row for row in build_matrix(family, evidence(*tests)).rows if row.requirement.id == "UC-110-1.1.1"
    )
    assert row.own_verdict == row.verdict == verdict
    assert len(row.tests) == len(outcomes)


def test_worst_observation_of_one_test_decides(family: Requirements) -> None:
    matrix = build_matrix(family, evidence(observed("UC-110-1.1.1", Outcome.PASSED, Outcome.SKIPPED)))
    assert verdicts(matrix)["UC-110-1.1.1"] is Verdict.NOT_RUN


def test_parents_are_aggregated_over_generations(family: Requirements) -> None:
    one = observed("UC-110-1.1.1", Outcome.PASSED)
    assert verdicts(build_matrix(family, evidence(one))) == {
        "C-BDMS-0010": Verdict.PARTLY_VERIFIED,
        "UC-110-1.1": Verdict.PARTLY_VERIFIED,
        "UC-110-1.1.1": Verdict.VERIFIED,
        "UC-110-1.1.4": Verdict.UNCOVERED,
    }
    both = build_matrix(family, evidence(one, observed("UC-110-1.1.4", Outcome.PASSED)))
    assert set(verdicts(both).values()) == {Verdict.VERIFIED}
    failed = build_matrix(family, evidence(one, observed("UC-110-1.1.4", Outcome.FAILED)))
    assert verdicts(failed)["C-BDMS-0010"] is Verdict.FAILED


def test_own_tests_of_a_parent_count_beside_its_children(family: Requirements) -> None:
    parent_alone = build_matrix(family, evidence(observed("UC-110-1.1", Outcome.PASSED)))
    assert verdicts(parent_alone)["UC-110-1.1"] is Verdict.PARTLY_VERIFIED
    assert parent_alone.rows[1].own_verdict is Verdict.VERIFIED


def test_uncovered_are_listed_without_those_ignored(family: Requirements) -> None:
    one = evidence(observed("UC-110-1.1.1", Outcome.PASSED))
    assert [row.requirement.id for row in build_matrix(family, one).uncovered()] == ["UC-110-1.1.4"]
    assert build_matrix(family, one, ["DPPS-UC-110-1.1.4"]).uncovered() == ()


def test_ignoring_what_does_not_exist_is_an_error(family: Requirements) -> None:
    with pytest.raises(AivError, match=r"--ignore: UC-110-1\.1\.5 is not in .*did you mean 'UC-110-1\.1"):
        build_matrix(family, evidence(), ["UC-110-1.1.5"])
    with pytest.raises(AivError, match=r"--ignore: 'all' is not an identifier"):
        build_matrix(family, evidence(), ["all"])


def test_unknown_ids_and_lost_tests_are_problems(family: Requirements) -> None:
    tests = [observed("UC-110-1.1.2", Outcome.PASSED, name="a::b"), observed("", Outcome.PASSED)]
    matrix = build_matrix(family, evidence(*tests, lost=("a.xml: gone",)))
    assert len(matrix.problems) == 2
    assert matrix.problems[0].startswith("a.xml: a::b: UC-110-1.1.2 is not in ")
    assert "did you mean 'UC-110-1.1" in matrix.problems[0]
    assert matrix.problems[1] == "a.xml: gone"
    assert matrix.unbound == 1


VERDICTS = st.lists(st.sampled_from(Verdict))


@given(VERDICTS)
def test_combining_depends_on_neither_order_nor_repetition(parts: list[Verdict]) -> None:
    assert combine(parts) == combine([*reversed(parts), *parts])


@given(VERDICTS)
def test_nothing_hides_a_failure_and_only_the_verified_make_verified(parts: list[Verdict]) -> None:
    assert (combine(parts) is Verdict.FAILED) == (Verdict.FAILED in parts)
    assert (combine(parts) is Verdict.VERIFIED) == (set(parts) == {Verdict.VERIFIED})


@given(VERDICTS, VERDICTS)
def test_combining_in_groups_gives_the_same(left: list[Verdict], right: list[Verdict]) -> None:
    groups = [combine(part) for part in (left, right) if part]
    assert combine(groups) == combine(left + right)
