"""What a client shows to a storage server: bearer tokens of the WLCG profile 1.0.

The profile: https://doi.org/10.5281/zenodo.3460258. A token names its issuer, whom it stands for, the server
that it is meant for (``aud``) and the paths that it opens there (``storage.read:/…``,
``storage.modify:/…``); the server keeps no list of users. A token that is made for one server opens no other,
so one that a server has seen is of no use to it elsewhere. The exception is XRootD's own third-party copy
(`Credentials.for_copy`): both ends are shown one token, with which the source could write the temporary name
of that copy at the destination.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from dpps.domain.errors import NotAuthorized

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

__all__ = ["Credentials", "GivenTokens", "LocalTokens", "Place", "audience_of", "mint_token"]

_PROFILE: Final = "1.0"
_BACKDATED_SECONDS: Final = 60
"""Clocks of two machines may differ by so much."""


class Place(Protocol):
    """A path on a server."""

    @property
    def server(self) -> str:
        """``host:port``."""
        ...

    @property
    def path(self) -> str:
        """Absolute path."""
        ...


class Credentials(Protocol):
    """How one service proves who it is."""

    def bearer(self, server: str) -> str | None:
        """Return a token for one server (``host:port``), valid for a while yet; None to stay anonymous."""
        ...

    def for_reader(self, server: str, path: str) -> str:
        """Return a token to hand to another server, with which it can read one path of ``server``, no more.

        Raises
        ------
        NotAuthorized
            When no such token can be made: a token that opens more is never handed on.
        """
        ...

    def for_copy(self, source: Place, destination: Place) -> str:
        """Return a token with which one server can read one path and another can take it under one name.

        XRootD's own third-party copy shows one token to both: it means these two servers and these two
        paths, and nothing else. Each path counts at both servers.

        Raises
        ------
        NotAuthorized
            As `for_reader`.
        """
        ...


def audience_of(server: str) -> str:
    """Return the name by which tokens mean one server (``host:port``)."""
    return f"https://{server}"


@dataclass(frozen=True, slots=True)
class GivenTokens:
    """Tokens made by somebody else, one for each server, as a job has them."""

    tokens: Mapping[str, str] = field(repr=False)
    """By ``host:port``; a server without one is met anonymously."""

    def bearer(self, server: str) -> str | None:
        """Return the token that was given for this server."""
        return self.tokens.get(server)

    def for_reader(self, server: str, path: str) -> str:
        """Refuse: a token cannot be narrowed by its holder."""
        raise _not_delegable(server, path)

    def for_copy(self, source: Place, destination: Place) -> str:
        """Refuse, likewise."""
        raise _not_delegable(source.server, source.path)


def _not_delegable(server: str, path: str) -> NotAuthorized:
    return NotAuthorized(
        f"the tokens given for {server} open more than {path}, and are handed to no other server",
        code="token-not-delegable",
        next_step="let the transfer service copy it, or download and upload it",
        server=server,
        path=path,
    )


def mint_token(
    key: str,
    *,
    issuer: str,
    subject: str,
    scopes: Sequence[str],
    lifetime_seconds: int,
    audiences: Sequence[str],
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
    audiences : sequence of str
        Servers that it is meant for, as `audience_of` names them.
    now_seconds : float, optional
        Seconds since 1970; the clock's by default.
    """
    from joserfc.jwk import ECKey

    claims = _Claims(
        issuer=issuer,
        subject=subject,
        audiences=tuple(audiences),
        scopes=tuple(scopes),
        lifetime_seconds=lifetime_seconds,
    )
    return _sign(ECKey.import_key(key), claims, now_seconds if now_seconds is not None else time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claims:
    issuer: str
    subject: str
    audiences: tuple[str, ...]
    scopes: tuple[str, ...]
    lifetime_seconds: int


def _sign(key: ECKey, claims: _Claims, now_seconds: float) -> str:
    from joserfc import jwt

    now = int(now_seconds)
    content = {
        "wlcg.ver": _PROFILE,
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audiences[0] if len(claims.audiences) == 1 else list(claims.audiences),
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
            issuer=issuer,
            subject=subject,
            audiences=(),
            scopes=tuple(scopes),
            lifetime_seconds=lifetime_seconds,
        )
        self._clock = clock
        self._lock = Lock()
        self._current: dict[str, tuple[float, str]] = {}

    def bearer(self, server: str) -> str | None:
        """Return a token for one server that is valid for at least half of its life."""
        now = self._clock()
        fresh_seconds = self._claims.lifetime_seconds / 2
        with self._lock:
            made_at, token = self._current.get(server, (math.inf, ""))
            # A clock that was set back makes a new one too: servers refuse tokens of the future.
            if not 0 <= now - made_at < fresh_seconds:
                made_at, token = now, self._sign((server,), self._claims.scopes, now)
                self._current[server] = (made_at, token)
            return token

    def for_reader(self, server: str, path: str) -> str:
        """Return a token that opens one path of one server for reading."""
        return self._sign((server,), (f"storage.read:{path}",), self._clock())

    def for_copy(self, source: Place, destination: Place) -> str:
        """Return a token that reads one path of one server and writes one path of another."""
        # A server looks at what it has just taken, so writing goes with reading.
        rights = (f"read:{source.path}", f"read:{destination.path}", f"modify:{destination.path}")
        scopes = tuple(f"storage.{right}" for right in rights)
        return self._sign((source.server, destination.server), scopes, self._clock())

    def _sign(self, servers: Sequence[str], scopes: tuple[str, ...], now: float) -> str:
        audiences = tuple(map(audience_of, servers))
        return _sign(self._key, replace(self._claims, audiences=audiences, scopes=scopes), now)
