"""Tokens stand for one principal, for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dpps.composition.tokens import TokenIssuer
from dpps.domain.errors import NotAuthorized
from dpps.domain.principals import Principal, Role
from dpps.workload.reporting import job_principal

NOW = datetime(2026, 2, 14, 22, 0, tzinfo=UTC)
KEY = "a signing key for tests, long enough for HMAC"


def issuer(at: datetime = NOW, key: str = KEY) -> TokenIssuer:
    return TokenIssuer(key, lambda: at)


def test_a_job() -> None:
    assert issuer().verify(issuer().for_job("night.dl1.1.1", 60)) == job_principal("night.dl1.1.1")


def test_a_principal() -> None:
    alice = Principal(name="alice", roles=frozenset({Role.READER, Role.AUDITOR}))
    assert issuer().verify(issuer().for_principal(alice, 60)) == alice


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2I6eCJ9.",
        issuer(NOW - timedelta(hours=1)).for_job("x", 60),
        issuer(key="another key that is long enough for HMAC too").for_job("x", 60),
        issuer().for_job("x", 60)[:-2],
    ],
    ids=["empty", "nonsense", "unsigned", "over", "foreign", "changed"],
)
def test_what_is_refused(token: str) -> None:
    with pytest.raises(NotAuthorized, match="not valid"):
        issuer().verify(token)
