"""Part of the pytest plugin: the ids that tests claim, checked and recorded at collection."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.junitxml import xml_key

from dpps_aiv.errors import AivError
from dpps_aiv.hollow import is_hollow
from dpps_aiv.identifiers import did_you_mean, is_use_case, normalise
from dpps_aiv.source_marks import read_source_marks

if TYPE_CHECKING:
    from dpps_aiv.requirements import Requirements

PROPERTY_OF_MARKER = {"verifies_usecase": "usecase_id", "verifies_requirement": "requirement_id"}


class Traceability:
    """Checks and records the ids of every collected test.

    Parameters
    ----------
    config
        Of this run of pytest.
    directory
        The folder of the requirements; read when the first marker is met, so
        that projects without requirements do not need one.
    """

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self._requirements: Requirements | AivError | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Turn wrong ids and hollow tests into collection errors; keep the ids of skipped modules."""
        report = yield
        if report.skipped and isinstance(collector, pytest.Module):
            self._record_skipped_module(collector.path, report)
        if report.passed:
            items = [node for node in report.result if isinstance(node, pytest.Item)]
            # One entry for all the parameters of one test.
            problems = list(dict.fromkeys(text for item in items for text in self._problems_of(item)))
            if problems:
                report.outcome = "failed"
                report.longrepr = "\n".join(problems)
                report.result = []
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Record the ids before any test runs: a skipped or broken test keeps them."""
        for item in items:
            claims = {(PROPERTY_OF_MARKER[name], text) for name, text in _valid_claims(item)}
            item.user_properties.extend(sorted(claims))

    def _problems_of(self, item: pytest.Item) -> Iterator[str]:
        marks = [mark for name in PROPERTY_OF_MARKER for mark in item.iter_markers(name)]
        name = _name_without_parameters(item)
        for mark in marks:
            problem = self._problem_of(mark)
            if problem is not None:
                yield f"{name}: {problem}"
        if marks and isinstance(item, pytest.Function) and self._is_hollow(item):
            yield (
                f"{name}: claims to verify {_claimed(marks)} but checks nothing: "
                "assert what it shows, or call a helper named assert*, check* or verify*"
            )

    def _is_hollow(self, item: pytest.Function) -> bool:
        return is_hollow(item.function, self._config.rootpath, item.cls)

    def _problem_of(self, mark: pytest.Mark) -> str | None:
        text = _claim(mark)
        if text is None:
            return f"the marker {mark.name} takes one identifier, as a text: {mark.name}('UC-110-1.1.1')"
        try:
            identifier = normalise(text)
        except ValueError as error:
            return f"{mark.name}: {error}"
        requirements = self._load()
        if isinstance(requirements, AivError):
            return f"{mark.name}({text!r}): {requirements}"
        if identifier not in requirements.entries:
            near = did_you_mean(identifier, requirements.entries)
            return f"{mark.name}({text!r}): {identifier} is not in {self._directory}{near}"
        fitting = "verifies_usecase" if is_use_case(identifier) else "verifies_requirement"
        if mark.name != fitting:
            return f"{mark.name}({text!r}): {identifier} is for the marker {fitting}"
        return None

    def _load(self) -> "Requirements | AivError":
        if self._requirements is None:
            # Here, not above: pydantic and YAML cost a run without markers nothing.
            from dpps_aiv.requirements import load_requirements

            try:
                self._requirements = load_requirements(self._directory)
            except AivError as error:
                self._requirements = error
        return self._requirements

    def _record_skipped_module(self, path: Path, report: pytest.CollectReport) -> None:
        # A collection report has no properties of its own, and pytest's documented
        # interface offers none: its report writer is asked directly.
        xml = self._config.stash.get(xml_key, None)
        if xml is None:
            return
        writer = xml.node_reporter(report)
        for name, text in read_source_marks(path).texts:
            if name in PROPERTY_OF_MARKER:
                writer.add_property(PROPERTY_OF_MARKER[name], _spelling(text))


def _claim(mark: pytest.Mark) -> str | None:
    match mark.args:
        case (str(text),) if not mark.kwargs:
            return text
    return None


def _claimed(marks: list[pytest.Mark]) -> str:
    return ", ".join(sorted({text for mark in marks if (text := _claim(mark)) is not None}))


def _valid_claims(item: pytest.Item) -> Iterator[tuple[str, str]]:
    for name in PROPERTY_OF_MARKER:
        for mark in item.iter_markers(name):
            text = _claim(mark)
            if text is not None:
                yield name, _spelling(text)


def _spelling(text: str) -> str:
    """Give the one spelling of an id; one that is none stays as it is, for the matrix to name."""
    try:
        return normalise(text)
    except ValueError:
        return text


def _name_without_parameters(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]
