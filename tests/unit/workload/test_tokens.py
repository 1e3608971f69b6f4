"""Tokens stand for one principal, for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dpps.composition.tokens import TokenIssuer
from dpps.domain.errors import NotAuthorized
from dpps.domain.principals import Principal, Role
from dpps.workload.reporting import job_principal

NOW = datetime(2026, 2, 14, 22, 0, tzinfo=UTC)
ALICE = Principal(name="alice", roles=frozenset({Role.READER, Role.AUDITOR}))
KEY = "a signing key for tests, long enough for HMAC"


def issuer(at: datetime = NOW, key: str = KEY) -> TokenIssuer:
    return TokenIssuer(key, lambda: at)


def test_a_job() -> None:
    assert issuer().verify(issuer().for_job("night.dl1.1.1")) == job_principal("night.dl1.1.1")


def test_a_job_that_waits_for_weeks_may_still_report() -> None:
    token = issuer(NOW - timedelta(days=60)).for_job("night.dl1.1.1")
    assert issuer().verify(token) == job_principal("night.dl1.1.1")


def test_only_the_tokens_of_jobs_have_no_end() -> None:
    from joserfc import jwt
    from joserfc.jwk import OctKey

    claims = {"iss": "dpps", "sub": "alice", "roles": ["job", "operator"], "iat": 1}
    endless = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(KEY))
    with pytest.raises(NotAuthorized):
        issuer().verify(endless)


def test_a_principal() -> None:
    assert issuer().verify(issuer().for_principal(ALICE, 60)) == ALICE


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2I6eCJ9.",
        issuer(NOW - timedelta(hours=1)).for_principal(ALICE, 60),
        issuer(key="another key that is long enough for HMAC too").for_job("x"),
        issuer().for_job("x")[:-2],
    ],
    ids=["empty", "nonsense", "unsigned", "over", "foreign", "changed"],
)
def test_what_is_refused(token: str) -> None:
    with pytest.raises(NotAuthorized, match="not valid"):
        issuer().verify(token)
