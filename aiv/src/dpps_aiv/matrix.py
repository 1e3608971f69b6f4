"""The traceability matrix: every requirement, the tests that show it, and the verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dpps_aiv.errors import AivError
from dpps_aiv.identifiers import did_you_mean, normalise
from dpps_aiv.junit import Evidence, Outcome, TestEvidence
from dpps_aiv.requirements import Requirement, Requirements


class Verdict(StrEnum):
    """What the evidence says about a requirement.

    Recognised by, in this order:

    - `FAILED`: a test failed, ended in error, or failed as expected.
    - `VERIFIED`: there are tests and all passed.
    - `UNCOVERED`: no test claims it.
    - `NOT_RUN`: tests claim it and all were skipped.
    - `PARTLY_VERIFIED`: some passed, none failed, and something is missing.

    A requirement with children takes their verdicts into account, beside its own tests.
    """

    VERIFIED = "verified"
    PARTLY_VERIFIED = "partly verified"
    NOT_RUN = "not run"
    UNCOVERED = "uncovered"
    FAILED = "failed"


_VERDICT_OF_OUTCOME = {
    Outcome.PASSED: Verdict.VERIFIED,
    Outcome.SKIPPED: Verdict.NOT_RUN,
    # Expected or not: what the test was to show was not shown.
    Outcome.EXPECTED_FAILURE: Verdict.FAILED,
    Outcome.FAILED: Verdict.FAILED,
    Outcome.ERROR: Verdict.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One requirement in the matrix.

    Attributes
    ----------
    requirement, subsystem
        The entry, and the file it stands in.
    children
        Identifiers of the entries that refine it.
    tests
        Those that claim it themselves.
    own_verdict
        From its own tests only.
    verdict
        With those of its children.
    ignored
        Whether a missing coverage was declared to be of no interest.
    """

    requirement: Requirement
    subsystem: str
    children: tuple[str, ...]
    tests: tuple[TestEvidence, ...]
    own_verdict: Verdict
    verdict: Verdict
    ignored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All requirements, and what does not fit them.

    Attributes
    ----------
    rows
        One per requirement, in the order of their numbers.
    problems
        Ids that are in no requirement, lost tests: what makes the matrix wrong or incomplete.
    unbound
        Number of tests that claim nothing.
    """

    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    unbound: int

    def uncovered(self) -> tuple[Row, ...]:
        """Give the requirements that no test claims, without those ignored."""
        return tuple(row for row in self.rows if row.verdict is Verdict.UNCOVERED and not row.ignored)

    def with_verdict(self, verdict: Verdict) -> tuple[Row, ...]:
        """Give the requirements with this verdict."""
        return tuple(row for row in self.rows if row.verdict is verdict)


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """Give the one verdict over several; over none it is `UNCOVERED`."""
    seen = set(verdicts)
    if Verdict.FAILED in seen:
        return Verdict.FAILED
    if not seen or seen == {Verdict.UNCOVERED}:
        return Verdict.UNCOVERED
    if seen == {Verdict.VERIFIED}:
        return Verdict.VERIFIED
    return Verdict.NOT_RUN if seen <= {Verdict.NOT_RUN, Verdict.UNCOVERED} else Verdict.PARTLY_VERIFIED


def build_matrix(requirements: Requirements, evidence: Evidence, ignored: Iterable[str] = ()) -> Matrix:
    """Set requirements against evidence.

    Parameters
    ----------
    requirements, evidence
        What is required, and what was observed.
    ignored
        Identifiers of requirements whose missing coverage is of no interest.

    Raises
    ------
    AivError
        If an identifier to be ignored is not a requirement.
    """
    to_ignore = _known(requirements, ignored)
    tests = _tests_by_identifier(evidence)
    own = {
        identifier: combine(_VERDICT_OF_OUTCOME[test.outcome] for test in tests.get(identifier, ()))
        for identifier in requirements.entries
    }
    children = requirements.children()
    verdicts: dict[str, Verdict] = {}
    for identifier in requirements.entries:
        _settle(identifier, own, children, verdicts)
    return Matrix(
        rows=tuple(
            Row(
                requirement=requirement,
                subsystem=requirements.subsystems[identifier],
                children=tuple(children[identifier]),
                tests=tuple(tests.get(identifier, ())),
                own_verdict=own[identifier],
                verdict=verdicts[identifier],
                ignored=identifier in to_ignore,
            )
            for identifier, requirement in requirements.entries.items()
        ),
        problems=(*_unknown(requirements, tests), *evidence.lost),
        unbound=sum(1 for test in evidence.tests if not test.identifiers),
    )


def _settle(
    identifier: str,
    own: Mapping[str, Verdict],
    children: Mapping[str, list[str]],
    verdicts: dict[str, Verdict],
) -> Verdict:
    """Work out the verdict of one entry after those of its children."""
    if identifier not in verdicts:
        parts = [_settle(child, own, children, verdicts) for child in children[identifier]]
        # A parent need not have tests of its own: then the children speak for it.
        if own[identifier] is not Verdict.UNCOVERED or not parts:
            parts.append(own[identifier])
        verdicts[identifier] = combine(parts)
    return verdicts[identifier]


def _tests_by_identifier(evidence: Evidence) -> dict[str, list[TestEvidence]]:
    tests: dict[str, list[TestEvidence]] = {}
    for test in evidence.tests:
        for identifier in sorted(test.identifiers):
            tests.setdefault(identifier, []).append(test)
    return tests


def _unknown(requirements: Requirements, tests: Mapping[str, list[TestEvidence]]) -> list[str]:
    return [
        f"{test.observations[0].report}: {test.name}: {identifier} is not in {requirements.directory}"
        f"{did_you_mean(identifier, requirements.entries)}"
        for identifier in sorted(set(tests) - set(requirements.entries))
        for test in tests[identifier]
    ]


def _known(requirements: Requirements, identifiers: Iterable[str]) -> set[str]:
    known = set()
    problems = []
    for text in identifiers:
        try:
            identifier = normalise(text)
        except ValueError as error:
            problems.append(f"--ignore: {error}")
            continue
        if identifier not in requirements.entries:
            near = did_you_mean(identifier, requirements.entries)
            problems.append(f"--ignore: {identifier} is not in {requirements.directory}{near}")
        known.add(identifier)
    if problems:
        raise AivError(problems, next_step="give identifiers of `requirements/`")
    return known
