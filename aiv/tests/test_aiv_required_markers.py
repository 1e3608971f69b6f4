"""The gate on missing parts: a skipped test that carries a required marker fails the run."""

import pytest

TESTS = """
    import pytest

    @pytest.fixture
    def server():
        pytest.skip("no server on this machine")

    @pytest.mark.rucio
    def test_catalogue(server):
        assert server

    @pytest.mark.parsl
    def test_engine():
        assert pytest.mark

    def test_unmarked(server):
        assert server
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nmarkers =\n    rucio: needs Rucio\n    parsl(kind): needs Parsl")
    pytester.makepyfile(test_parts=TESTS)
    return pytester


def allow(project: pytest.Pytester, text: str) -> None:
    (project.path / "tests").mkdir(exist_ok=True)
    (project.path / "tests" / "allowed-skips.yaml").write_text(text)


def test_without_the_option_skips_are_skips(project: pytest.Pytester) -> None:
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*required markers*")


def test_skip_with_a_required_marker_fails_the_run(project: pytest.Pytester) -> None:
    result = project.runpytest("--required-markers=rucio,parsl")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*= required markers =*",
            "MISSING rucio: test_parts.py::test_catalogue was skipped: no server on this machine",
        ]
    )
    result.stdout.no_fnmatch_line("*test_unmarked was skipped*")


def test_markers_from_the_ini_file(project: pytest.Pytester) -> None:
    with (project.path / "tox.ini").open("a") as ini:
        ini.write("\nrequired_markers = rucio parsl\n")
    assert project.runpytest().ret == pytest.ExitCode.TESTS_FAILED
    assert project.runpytest("--required-markers=parsl").ret == pytest.ExitCode.OK


def test_nothing_skipped_is_a_quiet_success(project: pytest.Pytester) -> None:
    result = project.runpytest("--required-markers=parsl")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*required markers*")


def test_folder_named_like_a_marker_is_no_marker(project: pytest.Pytester) -> None:
    (project.path / "rucio").mkdir()
    (project.path / "test_parts.py").rename(project.path / "rucio" / "test_parts.py")
    result = project.runpytest("--required-markers=rucio")
    assert result.stdout.str().count("MISSING") == 1


@pytest.mark.parametrize(
    "entry",
    ["marker: rucio", "nodeid: '*::test_cat*'", "{marker: rucio, nodeid: test_parts.py::test_catalogue}"],
)
def test_allowed_skip_is_printed_with_its_reason(project: pytest.Pytester, entry: str) -> None:
    fields = entry if entry.startswith("{") else f"{{{entry}}}"
    allow(project, f"allowed_skips:\n- {fields[:-1]}, reason: CI has no catalogue yet}}\n")
    result = project.runpytest("--required-markers=rucio")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["allowed rucio: *::test_catalogue was skipped: * (allowed: CI has no catalogue yet)"]
    )


def test_entry_that_covers_nothing_is_reported(project: pytest.Pytester) -> None:
    allow(project, "allowed_skips:\n- {marker: parsl, reason: once there was none}\n")
    result = project.runpytest("--required-markers=parsl")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["unused entry in the list of allowed skips: marker parsl (once there was none)"]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("allowed_skips:\n- {marker: rucio}\n", "*allowed-skips.yaml: entry 1: reason: Field required*"),
        (
            "allowed_skips:\n- {marker: rucio, reason: ' '}\n",
            "*entry 1: reason: String should have at least*",
        ),
        ("allowed_skips:\n- {reason: just so}\n", "*entry 1: names neither a marker nor a nodeid*"),
        (
            "allowed_skips:\n- {marker: rucio, reazon: typo}\n",
            "*unknown key 'reazon'; did you mean 'reason'?*",
        ),
        ("- {marker: rucio, reason: no head}\n", "*allowed-skips.yaml: Input should be*"),
        ("allowed_skips: [", "*allowed-skips.yaml: is not valid YAML*"),
    ],
)
def test_wrong_list_is_an_error(project: pytest.Pytester, text: str, message: str) -> None:
    allow(project, text)
    result = project.runpytest("--required-markers=rucio")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_named_list_must_exist(project: pytest.Pytester) -> None:
    result = project.runpytest("--required-markers=rucio", "--allowed-skips=nowhere.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nowhere.yaml: cannot be read: No such file*"])


def test_unregistered_marker_is_an_error(project: pytest.Pytester) -> None:
    result = project.runpytest("--required-markers=rucoi")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'rucoi' is not a registered marker; did you mean 'rucio'?"])


def test_module_that_skips_itself_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_lost="""
        import pytest
        pytest.importorskip("a_package_that_nobody_has", reason="no Parsl here")
        pytestmark = pytest.mark.parsl
        """
    )
    result = project.runpytest("--required-markers=parsl", "test_lost.py")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["MISSING parsl: test_lost.py was skipped: no Parsl here*"])


def test_expected_failure_is_no_missing_part_unless_it_did_not_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_parts="""
        import pytest

        @pytest.mark.rucio
        @pytest.mark.xfail(reason="known", strict=True)
        def test_ran():
            assert 1 + 1 == 3

        @pytest.mark.parsl
        @pytest.mark.xfail(reason="known", run=False)
        def test_did_not_run():
            assert 1 + 1 == 3
        """
    )
    assert project.runpytest("--required-markers=rucio").ret == pytest.ExitCode.OK
    result = project.runpytest("--required-markers=parsl")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["MISSING parsl: *::test_did_not_run was skipped: *known*"])


def test_deselected_tests_are_counted(project: pytest.Pytester) -> None:
    result = project.runpytest("--required-markers=rucio", "-m", "not rucio")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["note: tests deselected although their marker rucio is required: 1"])
