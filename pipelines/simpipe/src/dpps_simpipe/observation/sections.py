"""Typed reading of nested descriptions: quantities with units, no unknown key, errors that name the key."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import astropy.units as u

from dpps.domain.errors import InvalidInput
from dpps_simpipe.observation.description import Direction, refused

__all__ = ["Section"]

_LONGEST_TEXT, _GREATEST_NUMBER = 500, 1e100
#: Orientation of the Earth, leap seconds and names of files are not made for other times.
_YEARS = range(2000, 2100)


class Section:
    """A mapping of a description, read key by key.

    Parameters
    ----------
    values : object
        What the document has there.
    where : str
        Keys above it.
    document : str
        What is described, for messages.

    Raises
    ------
    InvalidInput
        It is no mapping.
    """

    def __init__(self, values: object, where: str = "", document: str = "observation") -> None:
        self._where = where
        self._document = document
        if not isinstance(values, Mapping):
            raise refused(where or "document", f"is {values!r}, not a mapping of keys", document)
        self._values = dict(values)

    def refused(self, key: str, reason: str) -> InvalidInput:
        """Make the error of a key of this mapping."""
        return refused(self.path(key), reason, self._document)

    def path(self, key: str) -> str:
        """Give a key with those above it."""
        return f"{self._where}.{key}" if self._where else key

    def has(self, key: str) -> bool:
        """Tell whether a key is left."""
        return key in self._values

    def end(self) -> None:
        """Refuse keys that nobody asked for.

        Raises
        ------
        InvalidInput
            A key is unknown.
        """
        for key in self._values:
            raise self.refused(str(key), "is not a known key")

    def take(self, key: str, default: object = None) -> Any:
        """Take the value of a key; None as default: it must be there.

        Raises
        ------
        InvalidInput
            The key is missing.
        """
        if key not in self._values and default is None:
            raise self.refused(key, "is missing")
        return self._values.pop(key, default)

    def section(self, key: str) -> "Section":
        """Take a mapping."""
        return Section(self.take(key), self.path(key), self._document)

    def sections(self, key: str) -> "list[Section]":
        """Take a list of mappings."""
        values = self.take(key)
        if not isinstance(values, list):
            raise self.refused(key, "is not a list")
        return [
            Section(one, f"{self.path(key)}[{index}]", self._document) for index, one in enumerate(values)
        ]

    def names(self) -> list[str]:
        """Give the keys that are left."""
        return [str(key) for key in self._values]

    def text(self, key: str, default: str | None = None) -> str:
        """Take a text."""
        value = self.take(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.refused(key, f"is {value!r}, not a text")
        if len(value) > _LONGEST_TEXT or not value.isprintable():
            raise self.refused(key, f"must be at most {_LONGEST_TEXT} characters in one line")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Take a whole number."""
        value = self.take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refused(key, f"is {value!r}, not a whole number")
        return value

    def number(self, key: str) -> float:
        """Take a number without unit."""
        value = self.take(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.refused(key, f"is {value!r}, not a number")
        if not abs(value) < _GREATEST_NUMBER:  # also for what is no number
            raise self.refused(key, f"must be a finite number below {_GREATEST_NUMBER:g}")
        return float(value)

    def quantity(self, key: str, unit: u.UnitBase, default: str | None = None) -> float:
        """Take a number with unit and give it in another unit."""
        value = self.take(key, default)
        example = f"write a text such as '1 {unit}'"
        if not isinstance(value, str):
            raise self.refused(key, f"is {value!r}, without a unit: {example}")
        try:
            converted = float(u.Quantity(value).to_value(unit))
        except (TypeError, ValueError, u.UnitConversionError) as error:
            raise self.refused(key, f"is {value!r}, no quantity in {unit}: {example}") from error
        if not math.isfinite(converted):
            raise self.refused(key, "must be finite")
        return converted

    def direction(self) -> Direction:
        """Take ``ra`` and ``dec``."""
        direction = Direction(ra_deg=self.quantity("ra", u.deg), dec_deg=self.quantity("dec", u.deg))
        if not 0.0 <= direction.ra_deg < 360.0:
            raise self.refused("ra", "must be between 0 and 360 deg")
        if not -90.0 <= direction.dec_deg <= 90.0:
            raise self.refused("dec", "must be between -90 and 90 deg")
        return direction

    def time(self, key: str) -> datetime:
        """Take a time with time zone and give it in UTC."""
        value = self.take(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError as error:
                raise self.refused(key, f"is {value!r}, no time such as 2026-01-15T22:00:00Z") from error
        if not isinstance(value, datetime):
            raise self.refused(key, f"is {value!r}, no time such as 2026-01-15T22:00:00Z")
        if value.tzinfo is None:
            raise self.refused(key, "has no time zone: write ...Z for UTC")
        if value.year not in _YEARS:
            raise self.refused(key, f"must be in the years {_YEARS[0]} to {_YEARS[-1]}")
        return value.astimezone(UTC)
