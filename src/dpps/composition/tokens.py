"""Bearer tokens of the local system: JSON Web Tokens signed with a secret of the state folder.

Two kinds: of a principal (name and roles), for a limited time; and of a job, good for reports on that job
only. The latter has no clock: a job may wait in a queue for days, and what its token opens is decided by
the state of the attempt in the database. When the attempt is over, its reports change nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from dpps.composition.state import StateFolder
from dpps.domain.errors import NotAuthorized
from dpps.domain.principals import Principal, Role

__all__ = ["TokenIssuer", "build_tokens"]

_ISSUER = "dpps"
_ALGORITHM = "HS256"
_SECRET = "workload-tokens"  # noqa: S105 - the name of the secret, not the secret


class TokenIssuer:
    """Issues and verifies tokens.

    Parameters
    ----------
    key : str
        Signing key; a secret.
    clock : callable
        Gives the time.
    """

    def __init__(self, key: str, clock: Callable[[], datetime]) -> None:
        from joserfc.jwk import OctKey

        self._key = OctKey.import_key(key)
        self._clock = clock

    def for_job(self, job: str) -> str:
        """Return a token with which one job may report while its attempt lives."""
        return self._issue(f"job:{job}", [Role.JOB.value], {})

    def for_principal(self, principal: Principal, lifetime_seconds: int) -> str:
        """Return a token that stands for a principal."""
        roles = sorted(role.value for role in principal.roles)
        return self._issue(principal.name, roles, {"exp": self._now() + lifetime_seconds})

    def _now(self) -> int:
        return int(self._clock().timestamp())

    def _issue(self, subject: str, roles: list[str], limits: dict[str, int]) -> str:
        from joserfc import jwt

        claims = {"iss": _ISSUER, "sub": subject, "roles": roles, "iat": self._now(), **limits}
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key)

    def verify(self, token: str) -> Principal:
        """Return whom a token stands for.

        Raises
        ------
        NotAuthorized
            When it is not ours, was changed, or is over.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwt import JWTClaimsRegistry

        rules: dict[str, Any] = {
            "iss": {"essential": True, "value": _ISSUER},
            "sub": {"essential": True},
            "roles": {"essential": True},
        }
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
            rules["exp"] = {"essential": claims.get("roles") != [Role.JOB.value]}
            JWTClaimsRegistry(now=self._now(), **rules).validate(claims)
            roles = frozenset(Role(role) for role in claims["roles"])
        except (JoseError, ValueError, TypeError) as wrong:
            raise NotAuthorized(
                "the bearer token is not valid",
                code="token-invalid",
                next_step="get a new one; tokens of jobs are in their bundles",
            ) from wrong
        return Principal(name=str(claims["sub"]), roles=roles)


def build_tokens(folder: StateFolder, clock: Callable[[], datetime]) -> TokenIssuer:
    """Return the issuer of a system; its key is made on first use."""
    return TokenIssuer(folder.ensure_secret(_SECRET), clock)
