"""The matrix as data, for programs."""

from typing import Any

from dpps_aiv.junit import TestEvidence
from dpps_aiv.matrix import Matrix, Row, Verdict


def matrix_as_data(matrix: Matrix) -> dict[str, Any]:
    """Give the matrix as plain values that JSON can hold."""
    return {
        "summary": {verdict.value: len(matrix.with_verdict(verdict)) for verdict in Verdict},
        "tests_without_identifier": matrix.unbound,
        "problems": list(matrix.problems),
        "uncovered": [row.requirement.id for row in matrix.uncovered()],
        "ignored": [row.requirement.id for row in matrix.rows if row.ignored],
        "requirements": [_row_as_data(row) for row in matrix.rows],
    }


def _row_as_data(row: Row) -> dict[str, Any]:
    return {
        **row.requirement.model_dump(mode="json"),
        "subsystem": row.subsystem,
        "children": list(row.children),
        "verdict": row.verdict.value,
        "own_verdict": row.own_verdict.value,
        "tests": [_test_as_data(test) for test in row.tests],
    }


def _test_as_data(test: TestEvidence) -> dict[str, Any]:
    return {
        "name": test.name,
        "outcome": test.outcome.value,
        "observations": [
            {"report": seen.report, "outcome": seen.outcome.value, "reason": seen.reason}
            for seen in test.observations
        ],
        "steps": [{"kind": step.kind, "text": step.text} for step in test.steps],
    }
