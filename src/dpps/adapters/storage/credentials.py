"""What a client shows to a storage server: bearer tokens of the WLCG profile 1.0.

The profile: https://doi.org/10.5281/zenodo.3460258. A token names its issuer, whom it stands for and the
paths that it opens (``storage.read:/…``, ``storage.modify:/…``); the server keeps no list of users.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

__all__ = ["AUDIENCE", "Credentials", "GivenToken", "LocalTokens", "NoCredentials", "mint_token"]

AUDIENCE: Final = "https://wlcg.cern.ch/jwt/v1/any"
"""The profile's word for any storage."""
_PROFILE: Final = "1.0"
_BACKDATED_SECONDS: Final = 60
"""Clocks of two machines may differ by so much."""


class Credentials(Protocol):
    """How one service proves who it is."""

    def bearer(self) -> str | None:
        """Return a token that is valid for a while yet; None to stay anonymous."""
        ...

    def for_reader(self, path: str) -> str | None:
        """Return a token to hand to another server so that it can read one path here, and nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token made by somebody else, as in the bundle of a job."""

    token: str

    def bearer(self) -> str | None:
        """Return the token."""
        return self.token

    def for_reader(self, path: str) -> str | None:
        """Return the token."""
        return self.token


@dataclass(frozen=True, slots=True)
class NoCredentials:
    """An anonymous client."""

    def bearer(self) -> str | None:
        """Return nothing."""
        return None

    def for_reader(self, path: str) -> str | None:
        """Return nothing."""
        return None


def mint_token(
    key: str,
    *,
    issuer: str,
    subject: str,
    scopes: Sequence[str],
    lifetime_seconds: int,
    now_seconds: float | None = None,
) -> str:
    """Return a signed token.

    Parameters
    ----------
    key : str
        Private key of the issuer, PEM (elliptic curve P-256).
    issuer : str
        Its name, a URL.
    subject : str
        Whom it stands for; servers write it into their logs.
    scopes : sequence of str
        What it opens, e.g. ``storage.read:/ctao``.
    lifetime_seconds : int
        How long it is valid.
    now_seconds : float, optional
        Seconds since 1970; the clock's by default.
    """
    from joserfc.jwk import ECKey

    claims = _Claims(issuer=issuer, subject=subject, scopes=tuple(scopes), lifetime_seconds=lifetime_seconds)
    return _sign(ECKey.import_key(key), claims, now_seconds if now_seconds is not None else time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claims:
    issuer: str
    subject: str
    scopes: tuple[str, ...]
    lifetime_seconds: int


def _sign(key: ECKey, claims: _Claims, now_seconds: float) -> str:
    from joserfc import jwt

    now = int(now_seconds)
    content = {
        "wlcg.ver": _PROFILE,
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": AUDIENCE,
        "scope": " ".join(claims.scopes),
        "iat": now,
        "nbf": now - _BACKDATED_SECONDS,
        "exp": now + claims.lifetime_seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode({"alg": "ES256", "kid": key.thumbprint()}, content, key)


class LocalTokens:
    """Tokens of one service, made from the issuer's key as they are needed.

    Parameters
    ----------
    key : str
        Private key of the issuer, PEM (elliptic curve P-256); a secret.
    issuer : str
        Its name, a URL.
    subject : str
        The service.
    scopes : sequence of str
        What it may do.
    lifetime_seconds : int
        Life of a token; a new one is made when half of it is over.
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(
        self,
        key: str,
        issuer: str,
        subject: str,
        scopes: Sequence[str],
        *,
        lifetime_seconds: int = 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from joserfc.jwk import ECKey

        self._key = ECKey.import_key(key)
        self._claims = _Claims(
            issuer=issuer, subject=subject, scopes=tuple(scopes), lifetime_seconds=lifetime_seconds
        )
        self._clock = clock
        self._lock = Lock()
        self._current: tuple[float, str] | None = None

    def bearer(self) -> str | None:
        """Return a token that is valid for at least half of its life."""
        now = self._clock()
        fresh_seconds = self._claims.lifetime_seconds / 2
        with self._lock:
            # A clock that was set back makes a new one too: servers refuse tokens of the future.
            if self._current is None or not 0 <= now - self._current[0] < fresh_seconds:
                self._current = (now, _sign(self._key, self._claims, now))
            return self._current[1]

    def for_reader(self, path: str) -> str | None:
        """Return a token that opens one path for reading."""
        return _sign(self._key, replace(self._claims, scopes=(f"storage.read:{path}",)), self._clock())
