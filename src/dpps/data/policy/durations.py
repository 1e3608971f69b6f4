"""Times as people write them: ``30 days``, ``12 hours``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from dpps.domain.errors import InvalidInput

__all__ = ["format_duration", "parse_duration"]

_SECONDS: Mapping[str, int] = {
    "year": 365 * 86400,
    "week": 7 * 86400,
    "day": 86400,
    "hour": 3600,
    "minute": 60,
    "second": 1,
}
_DURATION = re.compile(r"\s*(\d{1,6})\s*(year|week|day|hour|minute|second)s?\s*")


def parse_duration(text: str) -> timedelta:
    """Return the time that a text like ``30 days`` means; a year has 365 days.

    Raises
    ------
    InvalidInput
        When the text is not a number and a unit, or means more than 1000 years.
    """
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else None
    if seconds is None or seconds > 1000 * _SECONDS["year"]:
        raise InvalidInput(
            f"{text!r} is not a duration",
            code="duration-invalid",
            next_step="write a number and a unit: years, weeks, days, hours, minutes or seconds",
            text=text,
        )
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return a text that `parse_duration` reads back: the largest unit that divides the duration."""
    seconds = round(duration.total_seconds())
    unit, length = next((name, size) for name, size in _SECONDS.items() if seconds % size == 0 and seconds)
    count = seconds // length
    return f"{count} {unit}{'' if count == 1 else 's'}"
