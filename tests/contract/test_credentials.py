"""Whatever shows tokens to storage servers shows each its own, and hands on none that opens more."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from dpps.adapters.storage.credentials import Credentials, GivenTokens, LocalTokens, audience_of, mint_token
from dpps.domain.errors import NotAuthorized

KEY = ECKey.generate_key("P-256", auto_kid=True)
PEM = KEY.as_pem(private=True).decode()
ISSUER = "https://issuer.example"
NEAR, FAR = "127.0.0.1:15000", "127.0.0.1:15001"


@dataclass(frozen=True)
class _File:
    server: str
    path: str


def _claims(token: str) -> tuple[set[str], set[str]]:
    """Return for whom a token is, and what it opens."""
    claims = jwt.decode(token, KEY, algorithms=["ES256"]).claims
    audience = claims["aud"]
    return {audience} if isinstance(audience, str) else set(audience), set(claims["scope"].split())


class CredentialsContract:
    """The suite for ``Credentials``; give the fixture ``credentials``, which knows `NEAR` and `FAR`."""

    def test_each_server_is_shown_a_token_for_itself(self, credentials: Credentials) -> None:
        near, far = credentials.bearer(NEAR), credentials.bearer(FAR)
        assert near is not None
        assert far is not None
        assert _claims(near)[0] == {audience_of(NEAR)}
        assert _claims(far)[0] == {audience_of(FAR)}
        assert credentials.bearer(NEAR) == near, "one that is valid is used again"

    def test_another_server_never_sees_the_tokens_of_these(self, credentials: Credentials) -> None:
        stranger = credentials.bearer("127.0.0.1:9")
        assert stranger is None or _claims(stranger)[0] == {audience_of("127.0.0.1:9")}

    def test_what_is_handed_to_a_reader_opens_one_path(self, credentials: Credentials) -> None:
        try:
            token = credentials.for_reader(NEAR, "/ctao/a.dat")
        except NotAuthorized as refused:
            _names_the_file(refused)
        else:
            assert _claims(token) == ({audience_of(NEAR)}, {"storage.read:/ctao/a.dat"})

    def test_what_a_copy_shows_opens_two_paths(self, credentials: Credentials) -> None:
        try:
            token = credentials.for_copy(_File(NEAR, "/ctao/a.dat"), _File(FAR, "/ctao/.dpps-1"))
        except NotAuthorized as refused:
            _names_the_file(refused)
        else:
            servers, scopes = _claims(token)
            assert servers == {audience_of(NEAR), audience_of(FAR)}
            assert scopes == {
                "storage.read:/ctao/a.dat",
                "storage.read:/ctao/.dpps-1",
                "storage.modify:/ctao/.dpps-1",
            }

    def test_no_token_is_shown_to_those_who_print_it(self, credentials: Credentials) -> None:
        token = credentials.bearer(NEAR)
        assert token is not None
        assert token not in repr(credentials)
        assert token not in str(credentials)


def _names_the_file(refused: NotAuthorized) -> None:
    assert refused.next_step
    assert (refused.identifiers["server"], refused.identifiers["path"]) == (NEAR, "/ctao/a.dat")


class TestLocalTokens(CredentialsContract):
    @pytest.fixture
    def credentials(self) -> LocalTokens:
        return LocalTokens(PEM, ISSUER, "transfers", ["storage.read:/ctao", "storage.modify:/ctao"])


class TestGivenTokens(CredentialsContract):
    @pytest.fixture
    def credentials(self) -> GivenTokens:
        return GivenTokens(
            {
                server: mint_token(
                    PEM,
                    issuer=ISSUER,
                    subject="job",
                    scopes=["storage.read:/ctao"],
                    lifetime_seconds=60,
                    audiences=[audience_of(server)],
                )
                for server in (NEAR, FAR)
            }
        )
