"""What every implementation of ``RequestLedger`` must do.

Subclass `RequestLedgerContract` and give the fixtures ``ledger`` and ``raw``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from typing import Protocol

import pytest

from dpps.data.why.observations import RequestLedger, RequestState
from dpps.domain.names import Lfn

__all__ = ["RawRequests", "RequestLedgerContract"]


class RawRequests(Protocol):
    """Direct access to what the catalogue keeps of its requests."""

    rse: str
    other: str

    def register(self) -> Lfn:
        """Register a new file."""
        ...

    def put(self, lfn: Lfn, rse: str, state: RequestState, *, past: bool, error: str = "") -> str:
        """Enter a request, tried twice before; return the id of its rule."""
        ...


class RequestLedgerContract:
    """The suite."""

    def test_of_a_file_that_nobody_wants_elsewhere_there_is_none(
        self, ledger: RequestLedger, raw: RawRequests
    ) -> None:
        assert ledger.request(raw.register(), raw.rse) is None

    def test_the_present_request_is_told(self, ledger: RequestLedger, raw: RawRequests) -> None:
        lfn = raw.register()
        rule_id = raw.put(lfn, raw.rse, RequestState.WAITING, past=False)
        found = ledger.request(lfn, raw.rse)
        assert found is not None
        assert (found.state, found.rule_id, found.attempts, found.past) == (
            RequestState.WAITING, rule_id, 2, False,
        )  # fmt: skip
        assert found.changed_at is not None
        assert found.changed_at.tzinfo is not None
        assert ledger.request(lfn, raw.other) is None
        assert ledger.request(raw.register(), raw.rse) is None

    @pytest.mark.parametrize("state", [RequestState.DONE, RequestState.FAILED, RequestState.NO_SOURCES])
    def test_of_those_that_are_over_the_error_is_told(
        self, ledger: RequestLedger, raw: RawRequests, state: RequestState
    ) -> None:
        lfn = raw.register()
        raw.put(lfn, raw.rse, state, past=True, error="the disk was full")
        found = ledger.request(lfn, raw.rse)
        assert found is not None
        assert (found.state, found.past, found.error) == (state, True, "the disk was full")

    def test_the_present_one_comes_before_those_that_are_over(
        self, ledger: RequestLedger, raw: RawRequests
    ) -> None:
        lfn = raw.register()
        raw.put(lfn, raw.rse, RequestState.FAILED, past=True)
        now = raw.put(lfn, raw.rse, RequestState.WAITING, past=False)
        found = ledger.request(lfn, raw.rse)
        assert found is not None
        assert (found.rule_id, found.past) == (now, False)
