"""How the processes of the ``rucio`` environment use the cache that they share.

Rucio's own way has two faults here. After a cache has ended, each kept connection fails at its next use, and
the whole cache is then given up for a minute: the catalogue answers with errors long after the cache is back.
And the configuration is asked of the cache several times for each file, which is a seventh of the work of
submitting and finishing transfers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["NearNotes", "build_client", "keep_configuration_near", "outlive_the_cache"]

_NEAR_SECONDS = 3.0
_ATTEMPTS, _PAUSE_SECONDS = 20, 0.25
"""A cache that has ended is back within a second or two; what is asked meanwhile waits for it."""
_ANSWER_SECONDS = 1.0


class NearNotes:
    """Notes of a shared cache, kept in this process for some seconds.

    What another process changes is seen that much later. Lists are not kept: a reader might change one.

    Parameters
    ----------
    notes : dogpile.cache.CacheRegion
        The shared cache.
    seconds : float
        How long a note is kept here.
    clock : callable
        Returns seconds, never fewer than before.
    """

    def __init__(
        self, notes: Any, seconds: float = _NEAR_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._notes, self._seconds, self._clock = notes, seconds, clock
        self._near: dict[str, tuple[object, float]] = {}

    def get(self, key: str, **options: Any) -> Any:
        """Return a note, or what the shared cache answers when it has none."""
        value, until = self._near.get(key, (None, 0.0))
        if self._clock() < until:
            return value
        value = self._notes.get(key, **options)
        self._keep(key, value)
        return value

    def set(self, key: str, value: object) -> None:
        """Keep a note, here and there."""
        self._notes.set(key, value)
        self._keep(key, value)

    def delete(self, key: str) -> None:
        """Forget a note, here and there."""
        self._notes.delete(key)
        self._near.pop(key, None)

    def _keep(self, key: str, value: object) -> None:
        if isinstance(value, str | bool | int | float):
            self._near[key] = value, self._clock() + self._seconds
        else:
            self._near.pop(key, None)


def keep_configuration_near() -> None:
    """Let this process ask for each setting once in a few seconds."""
    from rucio.core import config

    config.REGION = NearNotes(config.REGION)


def build_client(
    address: str, serde: Any, *, attempts: int = _ATTEMPTS, pause_seconds: float = _PAUSE_SECONDS
) -> Any:
    """Return a client of one cache that connects again, and waits for a cache that is coming back.

    Parameters
    ----------
    address : str
        ``host:port``.
    serde : object
        Turns values into bytes and back, as pymemcache has it.
    attempts : int
        After so many a failure is told.
    pause_seconds : float
        Between two attempts.
    """
    from pymemcache import Client  # type: ignore[import-not-found]
    from pymemcache.client.retrying import RetryingClient  # type: ignore[import-not-found]
    from pymemcache.exceptions import MemcacheUnexpectedCloseError  # type: ignore[import-not-found]

    single = Client(
        address, serde=serde, connect_timeout=_ANSWER_SECONDS, timeout=_ANSWER_SECONDS, default_noreply=False
    )
    return RetryingClient(
        single,
        attempts=attempts,
        retry_delay=pause_seconds,
        retry_for=(OSError, MemcacheUnexpectedCloseError),
    )


def outlive_the_cache() -> None:
    """Let this process live through the end and the return of the cache; before Rucio is imported."""
    from dogpile.cache.backends.memcached import PyMemcacheBackend

    def create(backend: Any) -> Any:
        (address,) = backend.url
        return build_client(address, backend.serde)

    PyMemcacheBackend._create_client = create  # type: ignore[method-assign]
