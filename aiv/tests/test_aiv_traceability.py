"""The markers and the fixture `testcase`, seen from outside: runs of pytest and their reports."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

Entries = Callable[..., dict[str, object]]
Write = Callable[..., Path]


@pytest.fixture
def project(pytester: pytest.Pytester, write_requirements: Write, entries: Entries) -> pytest.Pytester:
    """Give a project with requirements of its own."""
    listed = [entries("UC-110-1.1"), entries("UC-110-1.6"), entries("C-BDMS-0210")]
    write_requirements({"bdms": listed}, pytester.path / "requirements")
    return pytester


def properties_in(report: Path) -> dict[str, list[tuple[str, str]]]:
    return {
        case.get("name", ""): [
            (entry.get("name", ""), entry.get("value", "")) for entry in case.iter("property")
        ]
        for case in ET.parse(report).iter("testcase")  # noqa: S314 - written by this test
    }


def test_every_outcome_keeps_its_ids(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.verifies_requirement("C-BDMS-0210")

        @pytest.fixture
        def broken():
            raise RuntimeError("no server")

        @pytest.mark.verifies_usecase("DPPS-UC-110-1.1")
        @pytest.mark.verifies_usecase("UC-110-1.6")
        def test_passed():
            assert 1 + 1 == 2

        @pytest.mark.verifies_usecase("UC-110-1.1")
        def test_failed():
            assert 1 + 1 == 3

        @pytest.mark.verifies_usecase("UC-110-1.1")
        @pytest.mark.skip(reason="no telescope")
        def test_skipped():
            assert 1 + 1 == 2

        @pytest.mark.verifies_usecase("UC-110-1.1")
        def test_broken(broken):
            assert broken

        @pytest.mark.verifies_usecase("UC-110-1.1")
        @pytest.mark.xfail(reason="not yet", strict=True)
        def test_expected():
            assert 1 + 1 == 3

        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.verifies_usecase("UC-110-1.6"))])
        def test_parameter(n):
            assert n
        """
    )
    result = project.runpytest("--junit-xml=report.xml")
    result.assert_outcomes(passed=2, failed=1, skipped=1, errors=1, xfailed=1)
    requirement, use_case = ("requirement_id", "C-BDMS-0210"), ("usecase_id", "UC-110-1.1")
    offsite = ("usecase_id", "UC-110-1.6")
    assert properties_in(project.path / "report.xml") == {
        "test_passed": [requirement, use_case, offsite],
        "test_failed": [requirement, use_case],
        "test_skipped": [requirement, use_case],
        "test_broken": [requirement, use_case],
        "test_expected": [requirement, use_case],
        "test_parameter[1]": [requirement, offsite],
    }


def test_a_module_that_skips_itself_keeps_its_ids(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_lost="""
        import pytest
        from pytest import mark

        pytest.importorskip("a_package_that_nobody_has")

        @mark.verifies_usecase("DPPS-UC-110-1.6")
        def test_never_born():
            assert mark
        """
    )
    project.runpytest("--junit-xml=report.xml").assert_outcomes(skipped=1)
    assert properties_in(project.path / "report.xml") == {"test_lost": [("usecase_id", "UC-110-1.6")]}


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (
            "verifies_usecase('UC-110-1.7')",
            "*UC-110-1.7 is not in *requirements; did you mean *'UC-110-1.1'*",
        ),
        ("verifies_usecase('UC-110-??')", "*'UC-110-??' is not an identifier*"),
        ("verifies_usecase", "*takes one identifier, as a text*"),
        ("verifies_usecase('UC-110-1.1', 'UC-110-1.6')", "*takes one identifier, as a text*"),
        ("verifies_usecase(id='UC-110-1.1')", "*takes one identifier, as a text*"),
        ("verifies_usecase('C-BDMS-0210')", "*C-BDMS-0210 is for the marker verifies_requirement*"),
        ("verifies_requirement('UC-110-1.1')", "*UC-110-1.1 is for the marker verifies_usecase*"),
    ],
)
def test_wrong_id_is_a_collection_error_that_names_the_test(
    project: pytest.Pytester, mark: str, message: str
) -> None:
    project.makepyfile(
        f"""
        import pytest

        class TestArchive:
            @pytest.mark.{mark}
            @pytest.mark.parametrize("n", [1, 2])
            def test_it(self, n):
                assert n
        """
    )
    result = project.runpytest("--strict-markers", "--junit-xml=report.xml")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*::TestArchive::test_it: {message}"])
    assert result.stdout.str().count("::test_it: ") == 1, "one problem for all parameters"


def test_hollow_test_is_a_collection_error(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.verifies_usecase("UC-110-1.6")
        def test_dummy():
            print("all is well")

        def test_claims_nothing():
            print("allowed: it claims nothing")
        """
    )
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*::test_dummy: claims to verify UC-110-1.6 but checks nothing: *"])
    result.stdout.no_fnmatch_line("*test_claims_nothing*")


def test_inherited_contract_suite_is_judged_where_it_is_written(project: pytest.Pytester) -> None:
    project.makepyfile(
        suite="""
        class Suite:
            def test_checked(self):
                assert self.value()

            def test_checked_by_a_method(self):
                self.compare_values()

            def compare_values(self):
                assert self.value()

            def test_hollow(self):
                self.value()
        """,
        helpers="""
        def compare(value):
            assert value
        """,
        test_adapter="""
        import pytest
        from helpers import compare
        from suite import Suite

        @pytest.mark.verifies_usecase("UC-110-1.6")
        class TestAdapter(Suite):
            def value(self):
                return 1

            def test_checked_by_a_helper_elsewhere(self):
                compare(self.value())

            def test_checked_by_a_method_elsewhere(self):
                self.compare_values()
        """,
    )
    project.syspathinsert()
    result = project.runpytest()
    result.stdout.fnmatch_lines(["*::TestAdapter::test_hollow: claims to verify UC-110-1.6*"])
    result.stdout.no_fnmatch_line("*test_checked*")


def test_steps_are_kept_up_to_the_failure(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.verifies_usecase("UC-110-1.6")
        def test_it(testcase):
            testcase.condition("a file is on site")
            testcase.step("replicate “it”")
            assert 1 + 1 == 3
            testcase.step("never reached")
        """
    )
    project.runpytest("--junit-xml=report.xml").assert_outcomes(failed=1)
    [properties] = properties_in(project.path / "report.xml").values()
    assert properties[0] == ("usecase_id", "UC-110-1.6")
    assert [name for name, _ in properties] == ["usecase_id", "steps"]
    assert json.loads(properties[1][1]) == [
        {"kind": "condition", "text": "a file is on site"},
        {"kind": "step", "text": "replicate “it”"},
    ]


def test_project_without_requirements_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(testcase): testcase.step('one')")
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)


def test_marker_without_requirements_is_a_clear_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.verifies_usecase('UC-110-1.6')\ndef test_it(): assert pytest.mark"
    )
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*there is no such folder of requirements*", "*--requirements-dir DIR*"])


def test_requirements_folder_from_ini_and_command_line(project: pytest.Pytester) -> None:
    (project.path / "requirements").rename(project.path / "needs")
    project.makepyfile(
        "import pytest\n@pytest.mark.verifies_usecase('UC-110-1.6')\ndef test_it(): assert pytest.mark"
    )
    project.runpytest("--requirements-dir=needs").assert_outcomes(passed=1)
    project.makeini("[pytest]\nrequirements_dir = needs")
    project.runpytest().assert_outcomes(passed=1)


def test_plugin_is_light() -> None:
    from subprocess import run
    from sys import executable

    heavy = {"pydantic", "yaml", "rich", "jinja2", "click"}
    code = f"import sys, dpps_aiv.plugin; print(sorted({heavy} & set(sys.modules)))"
    assert run([executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
