"""The pytest plugin: ties tests to use cases and requirements, and guards against silent skips.

Loaded in every run of pytest, so it imports nothing but pytest and the standard
library until a test carries one of its markers.
"""

from pathlib import Path

import pytest

from dpps_aiv.case_record import CaseRecord
from dpps_aiv.required_markers import RequiredMarkers, required_marker_names
from dpps_aiv.traceability import Traceability

_MARKERS = (
    "verifies_usecase(id): the test verifies this use case of requirements/ (repeatable)",
    "verifies_requirement(id): the test verifies this requirement of requirements/ (repeatable)",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, each also as an ini option."""
    group = parser.getgroup("verification", "verification (dpps-aiv)")
    group.addoption(
        "--requirements-dir",
        metavar="DIR",
        help="folder of the requirements (default: <rootdir>/requirements)",
    )
    group.addoption(
        "--required-markers",
        metavar="NAMES",
        help="comma-separated markers: the run fails when a test that carries one of them is skipped",
    )
    group.addoption(
        "--allowed-skips",
        metavar="FILE",
        help="skips allowed although their marker is required (default: <rootdir>/tests/allowed-skips.yaml)",
    )
    parser.addini("requirements_dir", "folder of the requirements", default="requirements")
    parser.addini("required_markers", "markers whose tests must not be skipped", type="args", default=[])
    parser.addini("allowed_skips", "file of allowed skips", default="tests/allowed-skips.yaml")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and the parts of the plugin that this run needs."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    directory = _option_path(config, "requirements_dir")
    config.pluginmanager.register(Traceability(config, directory), "dpps_aiv_traceability")
    names = required_marker_names(config)
    if names:
        path = _option_path(config, "allowed_skips")
        given = config.getoption("allowed_skips") is not None
        plugin = RequiredMarkers(names, path if given or path.exists() else None)
        config.pluginmanager.register(plugin, "dpps_aiv_required_markers")


@pytest.fixture
def testcase(request: pytest.FixtureRequest) -> CaseRecord:
    """Record the steps and conditions of a test for the verification report."""
    return CaseRecord(request.node.user_properties)


# pytest would otherwise take the fixture for a test wherever this module is collected.
testcase.__test__ = False  # type: ignore[attr-defined]


def _option_path(config: pytest.Config, name: str) -> Path:
    """Give a path of the command line (from where pytest was started) or of the ini file."""
    given = config.getoption(name)
    if given is not None:
        return config.invocation_params.dir / str(given)
    return config.rootpath / str(config.getini(name))
