"""What every implementation of the ``StorageSurvey`` port must do.

Subclass `StorageSurveyContract` in ``tests/contract``; give the fixtures ``survey``, ``raw`` and ``written``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from dpps.data.audit.ports import StorageSurvey
from dpps.testing.storage_contract import RawStore

__all__ = ["StorageSurveyContract"]

_WRITTEN_AT = datetime(2026, 2, 14, 21, 30, 5, tzinfo=UTC)


class StorageSurveyContract:
    """The suite. ``written(name, at)`` sets when a file was last written to, without the code under test."""

    def test_lists_what_is_complete_and_what_is_not(self, survey: StorageSurvey, raw: RawStore) -> None:
        names = (
            "ctao/acada/day/.dpps-7-1",
            "ctao/acada/day/b.dat",
            "ctao/acada/next/c.dat",
            "ctao/tmp/d.dat",
        )
        urls = [raw.put(name, b"x") for name in names]

        assert [one.url for one in survey.everything(raw.url("ctao"))] == urls
        assert [one.url for one in survey.everything(raw.url("ctao/acada/day"))] == urls[:2]

    def test_tells_when_a_file_was_last_written_to(
        self, survey: StorageSurvey, raw: RawStore, written: Callable[[str, datetime], None]
    ) -> None:
        raw.put("ctao/acada/.dpps-7-1", b"half")
        written("ctao/acada/.dpps-7-1", _WRITTEN_AT)

        (found,) = survey.everything(raw.url("ctao"))
        assert found.changed_at == _WRITTEN_AT

    def test_lists_nothing_where_nothing_is(self, survey: StorageSurvey, raw: RawStore) -> None:
        assert list(survey.everything(raw.url("ctao/nothing-here"))) == []
