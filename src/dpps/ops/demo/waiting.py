"""Waiting for a condition that other processes bring about, through their restarts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dpps.domain.errors import DppsError, Unavailable

__all__ = ["Patience", "retried", "wait_until"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait without any progress, and how often to look."""

    seconds: float = 300.0
    poll_seconds: float = 0.5


def wait_until(
    look: Callable[[], tuple[int, int, str]],
    *,
    what: str,
    next_step: str,
    patience: Patience,
    tell: Callable[[int, int, str], None],
) -> None:
    """Look again and again until everything is done.

    A service that does not answer meanwhile is no reason to give up: it is being restarted.

    Parameters
    ----------
    look : callable
        Returns how many things are done, how many there are, and what is waited for.
    what : str
        Named in the error.
    next_step : str
        What a person does when nothing moves any more.
    patience : Patience
        When to give up.
    tell : callable
        Gets what ``look`` returned, whenever it changes.

    Raises
    ------
    Unavailable
        When nothing has changed for longer than the patience.
    DppsError
        What ``look`` raises, unless it is retryable.
    """
    last: tuple[int, int, str] | None = None
    moved = time.monotonic()
    reason = "nothing was seen yet"
    while time.monotonic() - moved < patience.seconds:
        try:
            now = look()
        except DppsError as error:
            if not error.retryable:
                raise
            reason = error.message
        else:
            done, total, reason = now
            if now != last:
                last, moved = now, time.monotonic()
                tell(*now)
            if total > 0 and done >= total:
                return
        time.sleep(patience.poll_seconds)
    raise Unavailable(
        f"{what}: nothing has moved for {patience.seconds:.0f} s ({reason})",
        code="demo-stuck",
        next_step=next_step,
    )


def retried[T](call: Callable[[], T], *, patience: Patience) -> T:
    """Call until it answers, as long as its errors are retryable and the patience lasts."""
    began = time.monotonic()
    while True:
        try:
            return call()
        except DppsError as error:
            if not error.retryable or time.monotonic() - began > patience.seconds:
                raise
            time.sleep(patience.poll_seconds)
