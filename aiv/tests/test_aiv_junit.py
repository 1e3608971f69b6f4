import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dpps_aiv.errors import AivError
from dpps_aiv.junit import Evidence, Outcome, read_reports, worst
from hypothesis import given
from hypothesis import strategies as st

type WriteReport = Callable[..., Path]


@pytest.fixture
def write_report(tmp_path: Path) -> WriteReport:
    def write(name: str, *cases: str, suite: str = "pytest") -> Path:
        path = tmp_path / name
        path.write_text(f'<testsuites><testsuite name="{suite}">{"".join(cases)}</testsuite></testsuites>')
        return path

    return write


def case(name: str, inside: str = "", identifiers: tuple[str, ...] = (), **attributes: str) -> str:
    properties = "".join(f'<property name="usecase_id" value="{identifier}"/>' for identifier in identifiers)
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return (
        f'<testcase classname="tests.test_it" name="{name}"{written}>'
        f"<properties>{properties}</properties>{inside}</testcase>"
    )


def problems_of(*paths: Path) -> str:
    with pytest.raises(AivError) as caught:
        read_reports(paths)
    return "\n".join(caught.value.problems)


def outcomes(evidence: Evidence) -> dict[str, Outcome]:
    return {test.name.partition("::")[2]: test.outcome for test in evidence.tests}


def test_outcomes_and_reasons(write_report: WriteReport) -> None:
    path = write_report(
        "a.xml",
        case("passed"),
        case("failed", '<failure message="1 is not 2">long text</failure>'),
        case("error", "<error>\n  no server\n  second line</error>"),
        case("skipped", '<skipped type="pytest.skip" message="no telescope"/>'),
        case("expected", '<skipped type="pytest.xfail" message="not yet"/>'),
        case("not_run", '<skipped type="pytest.xfail" message="[NOTRUN] not yet"/>'),
    )
    evidence = read_reports([path])
    assert outcomes(evidence) == {
        "passed": Outcome.PASSED,
        "failed": Outcome.FAILED,
        "error": Outcome.ERROR,
        "skipped": Outcome.SKIPPED,
        "expected": Outcome.EXPECTED_FAILURE,
        "not_run": Outcome.SKIPPED,
    }
    reasons = [test.observations[0].reason for test in evidence.tests]
    assert reasons == ["", "1 is not 2", "no server", "no telescope", "not yet", "[NOTRUN] not yet"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("passed", Outcome.PASSED),
        ("failed", Outcome.FAILED),
        ("Skipped", Outcome.SKIPPED),
        ("error", Outcome.ERROR),
    ],
)
def test_claims_that_only_have_a_status_count_as_what_they_say(
    write_report: WriteReport, status: str, outcome: Outcome
) -> None:
    assert outcomes(read_reports([write_report("manual.xml", case("claim", status=status))])) == {
        "claim": outcome
    }


def test_status_passed_does_not_hide_a_failure(write_report: WriteReport) -> None:
    path = write_report("a.xml", case("it", '<failure message="no"/>', status="passed"))
    assert outcomes(read_reports([path])) == {"it": Outcome.FAILED}


def test_unknown_status_is_an_error(write_report: WriteReport) -> None:
    path = write_report("manual.xml", case("claim", status="success"))
    assert f"{path}: tests.test_it::claim: unknown status 'success'" in problems_of(path)


def test_same_test_in_two_runs_keeps_both_and_the_worst_counts(write_report: WriteReport) -> None:
    first = write_report("first.xml", case("it", identifiers=("UC-110-1.6",)))
    second = write_report(
        "second.xml", case("it", '<failure message="no"/>', identifiers=("DPPS-UC-110-1.6",))
    )
    for order in ([first, second], [second, first]):
        [test] = read_reports(order).tests
        assert test.outcome is Outcome.FAILED
        assert {seen.report: seen.outcome for seen in test.observations} == {
            str(first): Outcome.PASSED,
            str(second): Outcome.FAILED,
        }


def test_same_name_in_one_report_is_not_lost(write_report: WriteReport) -> None:
    path = write_report("a.xml", case("it"), case("it", '<error message="failed on teardown"/>'))
    [test] = read_reports([path]).tests
    assert [seen.outcome for seen in test.observations] == [Outcome.PASSED, Outcome.ERROR]
    assert test.outcome is Outcome.ERROR


def test_equal_claims_for_different_use_cases_stay_two(write_report: WriteReport) -> None:
    path = write_report(
        "manual.xml",
        case("claim", identifiers=("UC-110-1.1",), status="failed"),
        case("claim", identifiers=("UC-110-1.6",), status="passed"),
    )
    tests = read_reports([path]).tests
    assert {test.identifiers: test.outcome for test in tests} == {
        frozenset({"UC-110-1.1"}): Outcome.FAILED,
        frozenset({"UC-110-1.6"}): Outcome.PASSED,
    }


def test_suites_of_other_projects_are_kept_apart(write_report: WriteReport) -> None:
    ours = write_report("ours.xml", case("test_version"))
    theirs = write_report("theirs.xml", case("test_version", "<failure/>"), suite="datapipe")
    names = {test.name: test.outcome for test in read_reports([ours, theirs]).tests}
    assert names == {
        "tests.test_it::test_version": Outcome.PASSED,
        "datapipe: tests.test_it::test_version": Outcome.FAILED,
    }


def test_module_that_failed_to_import_is_told_as_lost(write_report: WriteReport) -> None:
    path = write_report(
        "a.xml", case("it"), case("broken", '<error message="collection failure">SyntaxError</error>')
    )
    assert read_reports([path]).lost == (
        f"{path}: tests.test_it::broken: collection failure: its tests are missing",
    )


def test_steps_are_read_and_the_latest_run_with_any_counts(write_report: WriteReport) -> None:
    text = json.dumps([{"kind": "step", "text": "replicate"}]).replace('"', "&quot;")
    steps = f'<properties><property name="steps" value="{text}"/></properties>'
    with_steps = write_report("a.xml", case("it", steps))
    without = write_report("b.xml", case("it"))
    [test] = read_reports([with_steps, without]).tests
    assert [(step.kind, step.text) for step in test.steps] == [("step", "replicate")]
    wrong = write_report("c.xml", case("it", steps.replace("kind", "sort")))
    assert "the property 'steps' is not a list of steps" in problems_of(wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a complete XML file"),
        (b"<testsuites><testsuite>", "is not a complete XML file"),
        (b"<html/>", "is not a JUnit report (root <html>)"),
        (b"<testsuites/>", "holds no test case"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(content)
    assert f"{path}: {message}" in problems_of(path)


def test_missing_and_repeated_files_are_errors(tmp_path: Path, write_report: WriteReport) -> None:
    path = write_report("a.xml", case("it"))
    text = problems_of(path, tmp_path / "nowhere.xml", path.parent / "." / "a.xml")
    assert f"{tmp_path / 'nowhere.xml'}: cannot be read" in text
    assert f"{path}: is given twice" in text


@given(st.lists(st.sampled_from(Outcome), min_size=1))
def test_worst_does_not_depend_on_order(seen: list[Outcome]) -> None:
    assert worst(seen) == worst(reversed(seen))
    assert worst(seen) in seen
    assert (worst(seen) is Outcome.PASSED) == (set(seen) == {Outcome.PASSED})
