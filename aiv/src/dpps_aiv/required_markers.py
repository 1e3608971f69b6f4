"""Part of the pytest plugin: a test whose parts are missing in CI fails CI, unless that is allowed."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps_aiv.errors import AivError
from dpps_aiv.identifiers import did_you_mean
from dpps_aiv.source_marks import read_source_marks

if TYPE_CHECKING:
    from dpps_aiv.allowed_skips import AllowedSkip

_CARRIED = "dpps_aiv_required_markers"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Skip:
    marker: str
    nodeid: str
    reason: str


def required_marker_names(config: pytest.Config) -> tuple[str, ...]:
    """Give the markers whose tests must not be skipped: the command line's, else the ini file's."""
    given = config.getoption("required_markers")
    names = config.getini("required_markers") if given is None else str(given).split(",")
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


class RequiredMarkers:
    """Fails a run in which a test that carries a required marker was skipped.

    Parameters
    ----------
    names
        The required markers.
    allowed_skips
        The list of allowed skips, if there is one.
    """

    def __init__(self, names: Sequence[str], allowed_skips: Path | None) -> None:
        self._names = tuple(names)
        self._allowed = _load(allowed_skips)
        self._skips: list[_Skip] = []
        self._deselected: dict[str, int] = {}

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Refuse a required marker that nobody registered: nothing could ever carry it."""
        registered = {line.partition(":")[0].partition("(")[0] for line in session.config.getini("markers")}
        for name in self._names:
            if name not in registered:
                message = (
                    f"--required-markers: {name!r} is not a registered marker{did_you_mean(name, registered)}"
                )
                raise pytest.UsageError(message)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Notice modules that skip themselves: their tests never come to be."""
        report = yield
        if report.skipped and isinstance(collector, pytest.Module):
            mentioned = read_source_marks(collector.path).names
            self._notice(report, [name for name in self._names if name in mentioned])
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report say which required markers its test carries.

        The report's keywords would not do: they hold the names of folders too.
        """
        report = yield
        carried = [name for name in self._names if item.get_closest_marker(name) is not None]
        setattr(report, _CARRIED, carried)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notice skipped tests."""
        ran_and_failed_as_expected = not getattr(report, "wasxfail", "[NOTRUN]").startswith("[NOTRUN]")
        if report.skipped and not ran_and_failed_as_expected:
            self._notice(report, getattr(report, _CARRIED, []))

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count deselected tests: a gate that was walked around should show it."""
        for item in items:
            for name in self._names:
                if item.get_closest_marker(name) is not None:
                    self._deselected[name] = self._deselected.get(name, 0) + 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail an otherwise successful run."""
        successful = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if session.exitstatus in successful and any(self._excuse(skip) is None for skip in self._skips):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was skipped, why, and what allows it."""
        missing = [skip for skip in self._skips if self._excuse(skip) is None]
        allowed = [(skip, entry) for skip in self._skips if (entry := self._excuse(skip)) is not None]
        used = {id(entry) for _, entry in allowed}
        idle = [entry for entry in self._allowed if id(entry) not in used]
        if not (missing or allowed or idle or self._deselected):
            return
        terminalreporter.section("required markers", red=bool(missing), green=not missing, bold=True)
        for skip in missing:
            terminalreporter.line(
                f"MISSING {skip.marker}: {skip.nodeid} was skipped: {skip.reason}", red=True
            )
        if missing:
            terminalreporter.line(
                "The run fails: install what is missing, or list the skip with its reason (--allowed-skips)."
            )
        for skip, entry in allowed:
            terminalreporter.line(
                f"allowed {skip.marker}: {skip.nodeid} was skipped: {skip.reason} (allowed: {entry.reason})"
            )
        for entry in idle:
            terminalreporter.line(f"unused entry in the list of allowed skips: {entry} ({entry.reason})")
        for name, count in self._deselected.items():
            terminalreporter.line(f"note: tests deselected although their marker {name} is required: {count}")

    def _notice(self, report: pytest.TestReport | pytest.CollectReport, names: Sequence[str]) -> None:
        self._skips.extend(_Skip(marker=name, nodeid=report.nodeid, reason=_reason(report)) for name in names)

    def _excuse(self, skip: _Skip) -> "AllowedSkip | None":
        return next((entry for entry in self._allowed if entry.covers(skip.marker, skip.nodeid)), None)


def _load(path: Path | None) -> "tuple[AllowedSkip, ...]":
    if path is None:
        return ()
    # Here, not above: a run without required markers needs no pydantic.
    from dpps_aiv.allowed_skips import load_allowed_skips

    try:
        return load_allowed_skips(path)
    except AivError as error:
        raise pytest.UsageError(str(error)) from error


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    match report.longrepr:
        case (_, _, str(reason)):
            return reason.removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "") or report.longrepr)
