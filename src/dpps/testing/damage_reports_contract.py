"""What every implementation of ``DamageReports`` must do.

Subclass `DamageReportsContract` and give the fixtures ``reports`` and ``raw``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from typing import Protocol

from dpps.data.retrieval.reports import DamagedCopy, DamageReports

__all__ = ["DamageReportsContract", "RawReports"]


class RawReports(Protocol):
    """Direct access to what the catalogue keeps of suspicions."""

    def register(self) -> DamagedCopy:
        """Register a new file; return its only copy, with a reason to suspect it."""
        ...

    def reasons(self, copy: DamagedCopy) -> set[str]:
        """Return why a copy is suspected."""
        ...


class DamageReportsContract:
    """The suite."""

    def test_copies_are_suspected_each_for_its_reason(self, reports: DamageReports, raw: RawReports) -> None:
        copies = [raw.register() for _ in range(3)]
        reports.suspect(copies[:2])
        for copy in copies[:2]:
            (reason,) = raw.reasons(copy)
            assert copy.reason in reason
            assert copy.rse in reason
        assert raw.reasons(copies[2]) == set()

    def test_reporting_twice_is_no_error_and_nothing_is_one_either(
        self, reports: DamageReports, raw: RawReports
    ) -> None:
        copy = raw.register()
        reports.suspect([copy])
        reports.suspect([copy])
        reports.suspect([])
        assert len(raw.reasons(copy)) == 1
