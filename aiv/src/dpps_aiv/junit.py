"""Reading JUnit reports of one or many runs: no case is lost, none is taken for another."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# Reports come from our own test runs, and expat (2.4.1 and later) bounds the growth of entities.
from xml.etree import ElementTree as ET

from dpps_aiv.errors import AivError
from dpps_aiv.identifiers import normalise

_NEXT_STEP = "run the tests again with `pytest --junit-xml FILE` and give that file"
_ID_PROPERTIES = frozenset({"usecase_id", "requirement_id"})


class Outcome(StrEnum):
    """How a test ended, from best to worst."""

    PASSED = "passed"
    SKIPPED = "skipped"
    EXPECTED_FAILURE = "expected failure"
    FAILED = "failed"
    ERROR = "error"


_SEVERITY = {outcome: rank for rank, outcome in enumerate(Outcome)}

# Written by tools that turn manual claims into JUnit, and by runners other than pytest.
_OUTCOME_OF_STATUS = {
    "passed": Outcome.PASSED,
    "run": Outcome.PASSED,
    "skipped": Outcome.SKIPPED,
    "notrun": Outcome.SKIPPED,
    "failed": Outcome.FAILED,
    "error": Outcome.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One result of a test in one report.

    Attributes
    ----------
    report
        The file, as it was given.
    outcome
        How the test ended.
    reason
        Why it did not pass; empty for a passed test.
    """

    report: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step or condition that a test reached."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEvidence:
    """One test and everything that was observed of it, in all the reports.

    Attributes
    ----------
    name
        `module.Class::test[parameters]`, after the suite where that is not pytest's own.
    identifiers
        What the test claims to verify, in the one spelling.
    observations
        Never empty, in the order of the reports.
    steps
        Of the last run that recorded any.
    """

    # The name begins with "Test": pytest would otherwise collect it where a test imports it.
    __test__ = False

    name: str
    identifiers: frozenset[str]
    observations: tuple[Observation, ...]
    steps: tuple[Step, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of all the observed outcomes."""
        return worst(observation.outcome for observation in self.observations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What all the reports say together.

    Attributes
    ----------
    tests
        Every test, also those that claim nothing.
    lost
        Parts of a run whose tests never came to be (a module that failed to
        import): what they would have verified is unknown.
    """

    tests: tuple[TestEvidence, ...]
    lost: tuple[str, ...]


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Give the worst of some outcomes."""
    return max(outcomes, key=_SEVERITY.__getitem__)


def read_reports(paths: Sequence[Path]) -> Evidence:
    """Read and merge JUnit reports.

    The same test in several reports is one test with several observations.
    Tests are the same when suite, class, name **and** claimed ids agree: two
    claims for different use cases never become one.

    Raises
    ------
    AivError
        If a report cannot be read, is given twice, holds no test case, or uses
        words for outcomes that nobody knows.
    """
    problems: list[str] = []
    seen: set[Path] = set()
    merged: dict[tuple[str, frozenset[str]], TestEvidence] = {}
    lost: list[str] = []
    for path in paths:
        if path.resolve() in seen:
            problems.append(f"{path}: is given twice")
            continue
        seen.add(path.resolve())
        try:
            cases = list(_cases_of(path))
        except AivError as error:
            problems.extend(error.problems)
            continue
        if not cases:
            problems.append(f"{path}: holds no test case")
        for case in cases:
            key = (case.name, case.identifiers)
            merged[key] = _merge(merged[key], case) if key in merged else case
            lost.extend(_lost_part(case))
    if problems:
        raise AivError(problems, next_step=_NEXT_STEP)
    return Evidence(tests=tuple(merged.values()), lost=tuple(lost))


def _merge(first: TestEvidence, second: TestEvidence) -> TestEvidence:
    return TestEvidence(
        name=first.name,
        identifiers=first.identifiers,
        observations=first.observations + second.observations,
        steps=second.steps or first.steps,
    )


def _lost_part(case: TestEvidence) -> Iterator[str]:
    """Name the case if it stands for tests that never came to be."""
    for observation in case.observations:
        if observation.outcome is Outcome.ERROR and observation.reason in {
            "collection failure",
            "internal error",
        }:
            yield f"{observation.report}: {case.name}: {observation.reason}: its tests are missing"


def _cases_of(path: Path) -> Iterator[TestEvidence]:
    try:
        root = ET.fromstring(path.read_bytes())  # noqa: S314 - see the import
    except OSError as error:
        raise AivError([f"{path}: cannot be read: {error.strerror}"], next_step=_NEXT_STEP) from error
    except ET.ParseError as error:
        raise AivError([f"{path}: is not a complete XML file: {error}"], next_step=_NEXT_STEP) from error
    if root.tag not in {"testsuites", "testsuite"}:
        raise AivError([f"{path}: is not a JUnit report (root <{root.tag}>)"], next_step=_NEXT_STEP)
    for suite in root.iter("testsuite"):
        for case in suite.findall("testcase"):
            yield _evidence(path, suite, case)


def _evidence(path: Path, suite: ET.Element, case: ET.Element) -> TestEvidence:
    class_name, own_name = case.get("classname", ""), case.get("name", "")
    name = f"{class_name}::{own_name}" if class_name else own_name
    suite_name = suite.get("name", "pytest")
    if suite_name != "pytest":
        name = f"{suite_name}: {name}"
    properties = [
        (entry.get("name", ""), entry.get("value", "")) for entry in case.iterfind("properties/property")
    ]
    outcome, reason = _outcome_of(path, name, case)
    return TestEvidence(
        name=name,
        identifiers=frozenset(_spelling(value) for key, value in properties if key in _ID_PROPERTIES),
        observations=(Observation(report=str(path), outcome=outcome, reason=reason),),
        steps=tuple(
            step for key, value in properties if key == "steps" for step in _steps_of(path, name, value)
        ),
    )


def _outcome_of(path: Path, name: str, case: ET.Element) -> tuple[Outcome, str]:
    """Give the worst of what the case says in its elements and in its `status`."""
    said = [(Outcome.PASSED, "")]
    status = case.get("status")
    if status is not None:
        outcome = _OUTCOME_OF_STATUS.get(status.lower())
        if outcome is None:
            known = ", ".join(_OUTCOME_OF_STATUS)
            problem = f"{path}: {name}: unknown status {status!r} (known: {known})"
            raise AivError([problem], next_step="write one of the known words in the report")
        said.append((outcome, "" if outcome is Outcome.PASSED else f"status {status}"))
    for element in case:
        reason = element.get("message") or (element.text or "").strip().partition("\n")[0]
        match element.tag:
            case "failure":
                said.append((Outcome.FAILED, reason))
            case "error":
                said.append((Outcome.ERROR, reason))
            case "skipped":
                said.append((_kind_of_skip(element), reason))
    return max(said, key=lambda pair: (_SEVERITY[pair[0]], bool(pair[1])))


def _kind_of_skip(element: ET.Element) -> Outcome:
    ran = element.get("type") == "pytest.xfail" and not element.get("message", "").startswith("[NOTRUN]")
    return Outcome.EXPECTED_FAILURE if ran else Outcome.SKIPPED


def _spelling(identifier: str) -> str:
    """Give the one spelling of an id; one that is none stays as it is, to be named as unknown."""
    try:
        return normalise(identifier)
    except ValueError:
        return identifier


def _steps_of(path: Path, name: str, text: str) -> list[Step]:
    try:
        return [Step(kind=str(entry["kind"]), text=str(entry["text"])) for entry in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        problem = f"{path}: {name}: the property 'steps' is not a list of steps: {error}"
        raise AivError([problem], next_step=_NEXT_STEP) from error
